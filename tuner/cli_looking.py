"""The commands that look at a study: they read the database and change nothing in it."""

from enum import StrEnum
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


class ExportFormat(StrEnum):
    """Kinds of files."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


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


def report(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY...", help="Their names; may be left out where there is one study.")
    ] = [],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The page; else NAME-report.html here. A report there is replaced."),
    ] = None,
    png: Annotated[Path | None, typer.Option(metavar="DIR", help="Write every figure as a PNG as well.")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="DIR", help="Write every figure as an SVG as well.")] = None,
    storage: StorageUrl = None,
) -> None:
    """Write a study, or several side by side, as one HTML page that opens without a network."""
    names = _chosen(studies, storage)
    from storage.engine import mask_passwords
    from tuner.api import open_study, storage_url
    from tuner.reporting.report import check_images, page_file, write_images, write_page
    from tuner.reporting.study_data import read_study

    file = page_file(names, output)
    folders = {image_format: folder for image_format, folder in (("png", png), ("svg", svg)) if folder is not None}
    for image_format, folder in folders.items():
        check_images(image_format, folder)
    read = [read_study(frames) for frames in [open_study(storage, name) for name in names]]
    images = {f: write_images(read, f, folder) for f, folder in folders.items()}
    write_page(read, mask_passwords(storage_url(storage)), file)
    print(f"written: {file}")
    for image_format, files in images.items():
        print(f"written: {folders[image_format]}: {len(files)} figures as {image_format.upper()}")


def _chosen(studies: list[str], storage: str | None) -> list[str]:
    """The named studies, each once; without a name, the only one."""
    if studies:
        return list(dict.fromkeys(studies))
    there = open_reader(storage).names()
    if len(there) != 1:
        raise InputError(
            f"report: name one or more of the studies in this database: {', '.join(there) or 'it has none'}"
        )
    return there


def export(
    study: StudyName,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder to make; an empty one may be there.")
    ],
    kind: Annotated[ExportFormat, typer.Option("--format", help="Kind of the files.")] = ExportFormat.CSV,
    storage: StorageUrl = None,
) -> None:
    """Write all that is recorded of a study as files: trials, epochs, decisions, attempts, launches, gradient flow, space."""
    from tuner.api import storage_url
    from tuner.reporting.export import export_study
    from tuner.reporting.frames import StudyFrames

    names = export_study(StudyFrames(storage_url(storage), study), output, kind.value)
    print(f"written: {output} with {', '.join(names)}")


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
