"""The command line. Imports what a command needs inside the command: `--help` must not wait for torch, Ray or Optuna."""

import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner import __version__
from tuner.errors import InputError, TrainingError, TunerError, plain_line

if TYPE_CHECKING:
    from rich.console import Console

    from storage.reading import StudyReader
    from tuner.search_space import SearchSpace

BAD_INPUT, NOTHING_FINISHED, INTERNAL_ERROR, DATABASE_AWAY, INTERRUPTED = 2, 1, 70, 75, 130
DIFFERENT = 1

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Hyperparameter optimization: Ray Tune schedules, Optuna samples, one SQL database remembers.",
)

SpaceFile = Annotated[
    Path, typer.Argument(metavar="SPACE.yaml", help="A search space file, or the name of one that ships: quickstart.")
]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Set any key of the file, e.g. settings.epochs=3.")
]
StorageUrl = Annotated[
    str | None, typer.Option("--storage", metavar="URL", help="Database; else TUNER_STORAGE, else sqlite:///tuner.db.")
]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A study's name.")]
TrialNumber = Annotated[int, typer.Argument(metavar="TRIAL", help="A trial's number.")]
Trials = Annotated[str | None, typer.Option(metavar="N", help="Short for --set budget.trials=N.")]
Concurrency = Annotated[str | None, typer.Option(metavar="N", help="Short for --set concurrency=N.")]
Plain = Annotated[bool, typer.Option("--plain", help="A line for each event, as without a terminal.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print plain JSON.")]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(f"tuner {__version__}")
        raise typer.Exit


@app.command()
def launch(
    space: SpaceFile,
    overrides: Overrides = [],
    storage: StorageUrl = None,
    trials: Trials = None,
    concurrency: Concurrency = None,
    plain: Plain = False,
) -> None:
    """Start the study of a search space file, or go on with it."""
    checked = _load(space, _with_short_forms(overrides, trials, concurrency))
    from tuner.api import storage_url

    _run(checked, storage_url(storage), plain)


@app.command()
def resume(
    study: StudyName,
    overrides: Overrides = [],
    storage: StorageUrl = None,
    trials: Trials = None,
    concurrency: Concurrency = None,
    plain: Plain = False,
) -> None:
    """Go on with a study by the search space file that its database holds."""
    reader = _reader(storage)
    from tuner.api import storage_url
    from tuner.resuming import recorded_space

    _run(recorded_space(reader, study, _with_short_forms(overrides, trials, concurrency)), storage_url(storage), plain)


@app.command()
def stop(
    study: StudyName,
    trial: Annotated[int | None, typer.Option(metavar="N", min=0, help="This trial only, for good.")] = None,
    storage: StorageUrl = None,
) -> None:
    """Ask for a study, or one trial of it, to be stopped: from any machine that reaches the database."""
    from storage.stopping import request_stop
    from tuner.api import storage_url

    try:
        print(request_stop(storage_url(storage), study, trial))
    except ValueError as error:
        raise InputError(f"stop: {error}") from error


@app.command()
def status(
    study: Annotated[str | None, typer.Argument(help="A study's name; without it, all studies.")] = None,
    storage: StorageUrl = None,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the study until its launch ends.")] = False,
) -> None:
    """Say how a study stands: states, best so far, rate, time left, rungs, running trials, launches."""
    if watch and as_json:
        raise InputError("status: --watch and --json exclude each other; ask for --json again and again instead")
    reader = _reader(storage)
    if watch:
        if study is None:
            names = ", ".join(reader.names()) or "none yet"
            raise InputError(f"status: --watch follows one study; name it (in this database: {names})")
        from tuner.api import storage_url
        from tuner.watching import print_changes, watch_live

        watch_live(storage_url(storage), study) if _is_terminal() else print_changes(reader, study, _say)
        return
    from tuner.reporting.status_lines import all_lines
    from tuner.reporting.summary import status_values, studies_table

    studies = [reader.standing(name) for name in ([study] if study else reader.names())]
    if as_json:
        values = [status_values(view) for view in studies]
        _print_json(values[0] if study else values)
    elif study is None:
        _console().print(studies_table(studies))
    else:
        for line in all_lines(studies[0]):
            print(line)


@app.command()
def best(
    study: StudyName,
    storage: StorageUrl = None,
    as_json: AsJson = False,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the winner as a search space file for tuner train.")
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the winner's weights as a PyTorch file: its best checkpoint's; trained again where none is kept.",
        ),
    ] = None,
    overrides: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="With --yaml or --weights, e.g. settings.data_dir=FOLDER."),
    ] = [],
    top: Annotated[int, typer.Option(min=1, help="How many configurations.")] = 10,
) -> None:
    """Print a study's top configurations, or take the winner along."""
    forms = {"--json": as_json, "--yaml": as_yaml, "--weights": weights is not None}
    asked = [option for option, given in forms.items() if given]
    if len(asked) > 1:
        raise InputError(f"{' and '.join(asked)} exclude each other; give one of them")
    if overrides and not (as_yaml or weights):
        raise InputError("--set goes with --yaml or --weights; a table or --json shows what is recorded")
    reader = _reader(storage)
    if weights:
        from tuner.winner import write_winner

        write_winner(reader, study, weights, overrides, say=_say)
        return
    view = reader.study(study)
    if as_yaml:
        from tuner.winner import winner_yaml

        print(winner_yaml(view, overrides), end="")
        return
    from tuner.reporting.summary import best_table, best_values, rank

    if as_json:
        _print_json([best_values(view, ranked) for ranked in rank(view)[:top]])
    else:
        _console().print(best_table(view, top))


@app.command()
def logs(
    study: StudyName,
    trial: TrialNumber,
    storage: StorageUrl = None,
) -> None:
    """Print what became of a trial and why: decisions with their cut-offs, attempts, their output and tracebacks."""
    reader = _reader(storage)
    from storage.trial_log import read_trial_log
    from tuner.reporting.trial_log import log_lines

    for line in log_lines(read_trial_log(reader, study, trial)):
        print(line)


@app.command()
def reproduce(
    study: StudyName,
    trial: TrialNumber,
    storage: StorageUrl = None,
    overrides: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE", help="settings.data_dir=FOLDER, where the data are now.")
    ] = [],
) -> None:
    """Train a trial again as it is recorded, and say whether every figure is the same, or what differs."""
    reader = _reader(storage)
    from tuner.reproducing import reproduce as train_again

    if not train_again(reader, study, trial, overrides, say=_say):
        raise typer.Exit(DIFFERENT)


@app.command()
def delete(
    study: StudyName,
    storage: StorageUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a study with all its trials, after asking."""
    view = _reader(storage).study(study)
    from storage.deletion import delete_study
    from storage.engine import mask_passwords
    from tuner.api import storage_url
    from tuner.checkpoint_files import delete_files

    url = storage_url(storage)
    what = f"study {study!r} with {len(view.trials)} trials from {mask_passwords(url)}"
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"delete: {what} would be gone for good, and nobody can be asked here; add --yes")
        if not typer.confirm(f"Delete {what}, for good?"):
            print("nothing deleted")
            return
    delete_files(delete_study(url, study))
    print(f"deleted: {what}")


@app.command()
def train(space: SpaceFile, overrides: Overrides = []) -> None:
    """Train one configuration in this process, without Ray and without a database; every entry of `space` needs one value."""
    checked = _load(space, tuple(overrides))
    configuration = checked.fixed_configuration()
    from tuner.single import train_configuration

    train_configuration(checked, configuration, say=_say)


@app.command()
def validate(space: SpaceFile, overrides: Overrides = []) -> None:
    """Check a search space file, and say what it asks for."""
    checked = _load(space, tuple(overrides))
    from tuner.rungs import rung_lines
    from tuner.trainer_check import check_travels, check_values

    check_values(checked)
    check_travels(checked)
    if checked.sampler.name not in ("tpe", "random"):  # those are always there, and Optuna takes a second to import
        from tuner.sampling import check_sampler

        check_sampler(checked)
    names = ", ".join(parameter.name for parameter in checked.parameters)
    print(
        f"{space}: right. Study {checked.study}: {checked.metric.goal} {checked.metric.name} over {names or 'no parameter'}, "
        f"{checked.epochs} epochs a trial. Data, machine and database were not looked at."
    )
    for line in rung_lines(checked):
        print(line)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a search space file, with which an editor completes and checks it."""
    from tuner.schema import search_space_schema

    _print_json(search_space_schema())


def main() -> None:
    """Run a command; every error becomes one line and an exit code."""
    try:
        code = app(prog_name="tuner", standalone_mode=False)  # it raises what it would else draw a box around
    except TunerError as error:
        codes = {InputError: BAD_INPUT, TrainingError: NOTHING_FINISHED}
        _stop(
            next((code for kind, code in codes.items() if isinstance(error, kind)), INTERNAL_ERROR), f"error: {error}"
        )
    except typer.Abort:
        _stop(INTERRUPTED, "error: interrupted")
    except Exception as error:
        _stop(*_explain(error))
    except BaseException as ending:  # an interrupted launch; anything else is Python's way to end
        code = getattr(ending, "exit_code", None)
        if code is None:
            raise
        from tuner.interrupts import GO_ON

        _stop(code, GO_ON)
    else:
        sys.exit(code or 0)


def _explain(error: Exception) -> tuple[int, str]:
    if hasattr(error, "format_message"):  # a complaint of typer, whichever click it brings along
        from tuner.usage import usage_error

        return BAD_INPUT, usage_error(error)
    if "storage.errors" in sys.modules:  # else it cannot be one of them
        from storage.errors import DatabaseAwayError, StorageError

        if isinstance(error, StorageError):
            return DATABASE_AWAY if isinstance(error, DatabaseAwayError) else BAD_INPUT, plain_line(f"error: {error}")
    traceback.print_exc()
    return INTERNAL_ERROR, "error: internal, see the traceback above; nothing that was recorded is lost"


def _stop(code: int, message: str) -> None:
    if message:
        print(message, file=sys.stderr, flush=True)
    sys.exit(code)


def _with_short_forms(overrides: list[str], trials: str | None, concurrency: str | None) -> tuple[str, ...]:
    short = {"budget.trials": trials, "concurrency": concurrency}
    return (*overrides, *(f"{key}={value}" for key, value in short.items() if value is not None))


def _run(space: "SearchSpace", url: str, plain: bool) -> None:
    """Launch a study, show it, and say what came of it."""
    from tuner.launching import launch as run

    if plain or not _is_terminal():
        run(space, url, say=_say)
    else:
        from tuner.reporting.live_status import LiveStatus

        with LiveStatus(url, space.study, hint="Ctrl-C interrupts; launch again to go on") as display:
            run(space, url, say=display.say, display=display)
    study = _reader(url).study(space.study)
    from tuner.reporting.summary import best_table

    print()
    _console().print(best_table(study, top=5))
    _print_database(url, space.study)
    if not any(trial.state == "complete" for trial in study.trials):
        raise typer.Exit(NOTHING_FINISHED)


def _load(path: Path, overrides: tuple[str, ...]) -> "SearchSpace":
    from tuner.search_space import load_search_space

    return load_search_space(path, overrides)


def _reader(storage: str | None) -> "StudyReader":
    from storage.reading import StudyReader
    from tuner.api import storage_url

    return StudyReader(storage_url(storage))


def _console() -> "Console":
    from rich.console import Console

    return Console(soft_wrap=False)


def _is_terminal() -> bool:
    """Whether a display can be drawn and redrawn there."""
    return sys.stdout.isatty() and not _console().is_dumb_terminal


def _say(line: str) -> None:
    print(line, flush=True)


def _print_database(url: str, study: str) -> None:
    from storage.engine import mask_passwords

    shown = mask_passwords(url)
    print(f"database: {shown}")
    print(f"next: tuner status {study} --storage {shown}   or   optuna-dashboard {shown}")


def _print_json(values: Any) -> None:
    print(json.dumps(values, indent=2))
