"""What the commands of `tuner` share: options, exit codes, and ways to print."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from storage.reading import StudyReader

BAD_INPUT, NOTHING_FINISHED, INTERNAL_ERROR, CAN_BE_GONE_ON_WITH, INTERRUPTED = 2, 1, 70, 75, 130
DIFFERENT = 1

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


def open_reader(storage: str | None) -> "StudyReader":
    from storage.reading import StudyReader
    from tuner.api import storage_url

    return StudyReader(storage_url(storage))


def make_console() -> "Console":
    from rich.console import Console

    width = None if sys.stdout.isatty() else 300  # in a file nothing need be cut
    return Console(width=width, soft_wrap=False)


def is_terminal() -> bool:
    """Whether a display can be drawn and redrawn there."""
    return sys.stdout.isatty() and not make_console().is_dumb_terminal


def say(line: str) -> None:
    print(line, flush=True)


def print_json(values: Any) -> None:
    print(json.dumps(values, indent=2))
