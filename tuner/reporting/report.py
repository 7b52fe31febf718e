"""Files of a report: the page, and its figures as images. Each is written in whole or not at all."""

import importlib.util
import os
import re
import shutil
import tempfile
import textwrap
from collections.abc import Collection, Sequence
from pathlib import Path

import plotly.graph_objects as go

from tuner.errors import InputError
from tuner.reporting.page import GENERATOR, mark_of, render_page
from tuner.reporting.sections import SECTIONS, compare
from tuner.reporting.study_data import StudyData

IMAGE_FORMATS = ("png", "svg")
_IMAGE_WIDTH, _IMAGE_HEIGHT, _PNG_SCALE = 900, 450, 2  # pixels; a PNG has twice as many, for print
_LONGEST_NAME = 60  # characters: a file's name may have 255 bytes
_WORDS_A_LINE = 115  # of a figure's explanation
_TITLE_HEIGHT, _LINE_HEIGHT, _LEGEND_HEIGHT, _EDGE = 44, 18, 44, 16  # pixels


def page_file(studies: Sequence[str], output: Path | None) -> Path:
    """Where the page of these studies goes: `NAME-report.html` in the working folder, unless it is said.

    Raises: InputError: its folder is not there or may not be written, or there is a file that no report wrote.
    """
    more = f"-and-{len(studies) - 1}-more" if len(studies) > 1 else ""
    file = Path(f"{safe_name(studies[0])}{more}-report.html") if output is None else output
    if file.is_dir():
        raise InputError(f"--output: {file} is a folder; name a file in it")
    if not file.parent.is_dir():
        raise InputError(f"--output: folder {file.parent} does not exist; make it or name another file")
    if not os.access(file.parent, os.W_OK):
        raise InputError(f"--output: folder {file.parent} cannot be written to; name another file")
    if file.exists() and not (file.is_file() and _is_a_report(file)):  # reading a pipe would wait for ever
        raise InputError(f"--output: {file} is there already and is no report; name another file, or remove it first")
    if output is None and file.exists() and mark_of(studies).encode() not in _head(file):
        raise InputError(f"--output: {file} is there already, the report of other studies; name a file for this one")
    return file


def write_page(studies: Sequence[StudyData], storage: str, file: Path) -> None:
    """Write the page; a report that was there is replaced.

    Args: as `render_page`.
    Raises: InputError: the file cannot be written.
    """
    page = render_page(studies, storage)
    unfinished = file.with_name(f".report.{os.getpid()}")
    try:
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(file)
    except OSError as error:
        raise InputError(f"--output: {file} cannot be written ({error})") from error
    finally:
        unfinished.unlink(missing_ok=True)


def check_images(image_format: str, folder: Path) -> None:
    """Say before anything is drawn whether images can be made.

    Raises: InputError: kaleido or a browser for it is missing, or the folder cannot be made or written.
    """
    option = f"--{image_format}"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{option}: {folder} is a file; name a folder")
    above = next((place for place in (folder, *folder.absolute().parents) if place.exists()), folder)
    if not os.access(above, os.W_OK):
        raise InputError(f"{option}: folder {above} cannot be written to; name another one")
    if importlib.util.find_spec("kaleido") is None:
        raise InputError(f"{option}: images are drawn by kaleido, which is not installed; pip install 'tuner[images]'")
    if _browser() is None:
        raise InputError(
            f"{option}: images are drawn in a browser, and none is found; install Chromium or Chrome (Debian: apt-get "
            "install chromium), run kaleido_get_chrome, or set BROWSER_PATH"
        )


def write_images(studies: Sequence[StudyData], image_format: str, folder: Path) -> list[Path]:
    """Every figure as an image, `STUDY-SECTION.png` or, of several in a section, `STUDY-SECTION-1.png`; those that set several
    studies side by side are `comparison-1.png` and on. Images of these names are replaced.

    Raises: InputError: they cannot be drawn or written.
    """
    figures = _named("comparison", compare(studies) if len(studies) > 1 else [], image_format)
    begun = {"comparison"}
    for study in studies:
        begin = _free_name(safe_name(study.name), begun)
        begun.add(begin)
        for section in SECTIONS:
            figures |= _named(f"{begin}-{section.key}", section.draw(study), image_format)
    with tempfile.TemporaryDirectory(prefix="tuner-report-") as drawn_in:
        _draw(figures, image_format, Path(drawn_in))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return [_move(Path(drawn_in, name), folder / name) for name in figures]
        except OSError as error:
            raise InputError(f"--{image_format}: {folder} cannot be written ({error})") from error


def safe_name(study: str) -> str:
    """A study's name as (part of) a file's: letters, digits, `.`, `_` and `-`, no more than 60 of them."""
    return re.sub(r"[^\w.-]+", "-", study)[:_LONGEST_NAME].strip("-.") or "study"


def _named(begin: str, drawn: Sequence[go.Figure], image_format: str) -> dict[str, go.Figure]:
    """Figures by the names of their files."""
    numbers = [""] if len(drawn) == 1 else [f"-{number}" for number in range(1, len(drawn) + 1)]
    return {f"{begin}{n}.{image_format}": figure for n, figure in zip(numbers, drawn, strict=True)}


def _free_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number where another study already has it."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _is_a_report(file: Path) -> bool:
    return f'name="generator" content="{GENERATOR}"'.encode() in _head(file)


def _head(file: Path) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read(1000)
    except OSError:
        return b""


def _browser() -> str | None:
    """The browser that kaleido will take."""
    from choreographer.browsers.chromium import Chromium

    found = Chromium.find_browser(skip_local=False)
    return found if found is not None and Path(found).is_file() else None


def _move(file: Path, to: Path) -> Path:
    """Move a file, perhaps onto another disk, in whole or not at all."""
    unfinished = to.with_name(f".report.{os.getpid()}")
    try:
        shutil.copyfile(file, unfinished)
        return unfinished.replace(to)
    finally:
        unfinished.unlink(missing_ok=True)


def _draw(figures: dict[str, go.Figure], image_format: str, folder: Path) -> None:
    import kaleido

    options = {"format": image_format, "width": _IMAGE_WIDTH, "scale": _PNG_SCALE if image_format == "png" else 1}
    drawings = []
    for name, figure in figures.items():
        height = int(figure.layout.height or _IMAGE_HEIGHT) + _make_room_for_words(figure)
        drawings.append({"fig": figure, "path": folder / name, "opts": {**options, "height": height}})
    try:
        errors = kaleido.write_fig_from_object_sync(
            drawings, kopts={"mathjax": False}
        )  # else it asks a server for MathJax
    except Exception as error:  # a browser has many ways not to start
        errors = (error,)
    if errors:
        raise InputError(f"--{image_format}: the browser does not draw: {errors[0]}")


def _make_room_for_words(figure: go.Figure) -> int:
    """Break the figure's explanation into lines above its legend; returns by how many pixels it is higher for it."""
    title = figure.layout.title
    lines = textwrap.wrap(title.subtitle.text or "", _WORDS_A_LINE, break_long_words=False, break_on_hyphens=False)
    title.subtitle.text = "<br>".join(lines)
    room = len(lines) * _LINE_HEIGHT + _LEGEND_HEIGHT
    figure.update_layout(
        title={"xref": "container", "yref": "container", "y": 1, "yanchor": "top", "pad": {"l": _EDGE, "t": _EDGE}},
        margin={"l": _EDGE, "r": _EDGE, "t": _TITLE_HEIGHT + room, "b": _EDGE},
    )
    return room
