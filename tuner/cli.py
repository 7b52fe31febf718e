"""The command line. Imports what a command needs inside the command: `--help` must not wait for torch, Ray or Optuna."""

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner import __version__, cli_looking
from tuner.cli_options import (
    BAD_INPUT,
    CAN_BE_GONE_ON_WITH,
    DIFFERENT,
    INTERNAL_ERROR,
    INTERRUPTED,
    NOTHING_FINISHED,
    Concurrency,
    Overrides,
    Plain,
    SpaceFile,
    StorageUrl,
    StudyName,
    TrialNumber,
    Trials,
    is_terminal,
    make_console,
    open_reader,
    print_json,
    say,
)
from tuner.errors import InputError, RayLostError, TrainingError, TunerError, plain_line

if TYPE_CHECKING:
    from tuner.search_space import SearchSpace

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Hyperparameter optimization: Ray Tune schedules, Optuna samples, one SQL database remembers.",
)


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
    reader = open_reader(storage)
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

    print(request_stop(storage_url(storage), study, trial))


for _command in (
    cli_looking.status,
    cli_looking.best,
    cli_looking.logs,
    cli_looking.report,
    cli_looking.export,
    cli_looking.dashboard,
):
    app.command()(_command)


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
    reader = open_reader(storage)
    from tuner.reproducing import reproduce as train_again

    if not train_again(reader, study, trial, overrides, say=say):
        raise typer.Exit(DIFFERENT)


@app.command()
def delete(
    study: StudyName,
    storage: StorageUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a study with all its trials, after asking."""
    view = open_reader(storage).study(study)
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

    train_configuration(checked, configuration, say=say)


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

    print_json(search_space_schema())


def main() -> None:
    """Run a command; every error becomes one line and an exit code."""
    try:
        code = app(prog_name="tuner", standalone_mode=False)  # it raises what it would else draw a box around
    except TunerError as error:
        codes = {InputError: BAD_INPUT, TrainingError: NOTHING_FINISHED, RayLostError: CAN_BE_GONE_ON_WITH}
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
            return CAN_BE_GONE_ON_WITH if isinstance(error, DatabaseAwayError) else BAD_INPUT, plain_line(
                f"error: {error}"
            )
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

    if plain or not is_terminal():
        run(space, url, say=say)
    else:
        from tuner.reporting.live_status import LiveStatus

        with LiveStatus(url, space.study, hint="Ctrl-C interrupts; launch again to go on") as display:
            run(space, url, say=display.say, display=display)
    study = open_reader(url).study(space.study)
    from tuner.reporting.summary import best_table

    print()
    make_console().print(best_table(study, top=5))
    _print_database(url, space.study)
    if not any(trial.state == "complete" for trial in study.trials):
        raise typer.Exit(NOTHING_FINISHED)


def _load(path: Path, overrides: tuple[str, ...]) -> "SearchSpace":
    from tuner.search_space import load_search_space

    return load_search_space(path, overrides)


def _print_database(url: str, study: str) -> None:
    from storage.engine import mask_passwords

    shown = mask_passwords(url)
    print(f"database: {shown}")
    print(f"next: tuner status {study} --storage {shown}   or   optuna-dashboard {shown}")
