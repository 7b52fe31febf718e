"""The commands that look at a study: they read the database and change nothing in it."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from tuner.cli_options import (
    AsJson,
    StorageUrl,
    StudyName,
    TrialNumber,
    is_terminal,
    make_console,
    open_reader,
    print_json,
    say,
)
from tuner.errors import InputError


def status(
    study: Annotated[str | None, typer.Argument(help="A study's name; without it, all studies.")] = None,
    storage: StorageUrl = None,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the study until its launch ends.")] = False,
) -> None:
    """Say how a study stands: states, best so far, rate, time left, rungs, running trials, launches."""
    if watch and as_json:
        raise InputError("status: --watch and --json exclude each other; ask for --json again and again instead")
    reader = open_reader(storage)
    if watch:
        if study is None:
            names = ", ".join(reader.names()) or "none yet"
            raise InputError(f"status: --watch follows one study; name it (in this database: {names})")
        from tuner.api import storage_url
        from tuner.watching import print_changes, watch_live

        watch_live(storage_url(storage), study) if is_terminal() else print_changes(reader, study, say)
        return
    from tuner.reporting.status_lines import all_lines
    from tuner.reporting.summary import status_values, studies_table

    studies = [reader.standing(name) for name in ([study] if study else reader.names())]
    if as_json:
        values = [status_values(view) for view in studies]
        print_json(values[0] if study else values)
    elif study is None:
        make_console().print(studies_table(studies))
    else:
        for line in all_lines(studies[0]):
            print(line)


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
    reader = open_reader(storage)
    if weights:
        from tuner.winner import write_winner

        write_winner(reader, study, weights, overrides, say=say)
        return
    view = reader.study(study)
    if as_yaml:
        from tuner.winner import winner_yaml

        print(winner_yaml(view, overrides), end="")
        return
    from tuner.reporting.summary import best_table, best_values, rank

    if as_json:
        print_json([best_values(view, ranked) for ranked in rank(view)[:top]])
    else:
        make_console().print(best_table(view, top))


def logs(
    study: StudyName,
    trial: TrialNumber,
    storage: StorageUrl = None,
) -> None:
    """Print what became of a trial and why: decisions with their cut-offs, attempts, their output and tracebacks."""
    reader = open_reader(storage)
    from storage.trial_log import read_trial_log
    from tuner.reporting.trial_log import log_lines

    for line in log_lines(read_trial_log(reader, study, trial)):
        print(line)


def dashboard(
    port: Annotated[int, typer.Option(min=0, max=65534, help="Where it listens; 0: any free port.")] = 8050,
    host: Annotated[
        str, typer.Option(metavar="H", help="Address; one that others reach needs TUNER_DASHBOARD_PASSWORD.")
    ] = "127.0.0.1",
    optuna: Annotated[bool, typer.Option("--optuna", help="Start optuna-dashboard too, on the next port.")] = False,
    storage: StorageUrl = None,
) -> None:
    """Show studies live in a browser, until Ctrl-C."""
    _check_installed("dash", "dash_ag_grid", "waitress", *(["optuna_dashboard"] if optuna else []))
    from tuner.api import storage_url
    from tuner.serving import serve_until_ended

    serve_until_ended(storage_url(storage), host, port, optuna, say)


def _check_installed(*modules: str) -> None:
    """Raises: InputError: one is missing, which only an extra brings along."""
    for module in modules:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            raise InputError(
                f"dashboard: needs {error.name}, which is not installed; pip install 'tuner[dashboard]'"
            ) from error
