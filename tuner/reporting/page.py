"""The report: one HTML page of one or several studies that needs nothing else, neither files beside it nor a network.

plotly.js is in the page once, and figures are JSON from which it draws them when they come into sight. Whatever users have
named is text: Jinja2 escapes it in the page and in the JSON, and the page's content security policy lets no script run but its
own two and fetches nothing.
"""

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from tuner.reporting.broken import Breakage, breakages
from tuner.reporting.figures.style import HEIGHT, is_in_force, parameter_columns, take_title
from tuner.reporting.headline import Headline, headline, words_of
from tuner.reporting.provenance import Command, Provenance, provenance, run_again
from tuner.reporting.sections import CLOSER_SECTIONS, FIRST_SECTIONS, Section, compare
from tuner.reporting.status_lines import duration
from tuner.reporting.study_data import StudyData
from tuner.yaml_writer import write_yaml

GENERATOR = "tuner report"  # says in a page's head who made it
_FLOAT32_STEPS = 2**-24  # the largest relative error of a number written as float32


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure as the page has it. `json`: data and layout, safe inside a script element."""

    id: str
    title: str
    explanation: str
    height: int
    json: Markup


@dataclass(frozen=True, slots=True)
class _Part:
    """A section of a study with its figures; without any, the page says what is missing."""

    id: str
    title: str
    figures: tuple[_Figure, ...]
    missing: str


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell of the table of trials: what it shows, and by what it is sorted (nothing: it goes last)."""

    text: str
    key: str


@dataclass(frozen=True, slots=True)
class _Row:
    trial: int
    state: str
    cells: tuple[_Cell, ...]


@dataclass(frozen=True, slots=True)
class _Study:
    """A study as the page has it; every id in it begins with `prefix`."""

    prefix: str
    facts: Headline
    first: tuple[_Part, ...]
    closer: tuple[_Part, ...]
    broken: list[Breakage]
    columns: tuple[str, ...]
    rows: list[_Row]
    yaml: str
    origin: Provenance
    commands: list[Command]


def render_page(studies: Sequence[StudyData], storage: str) -> str:
    """The page as HTML.

    Args:
        studies: one or several, in the order in which they are told.
        storage: their database's URL, without a password: for commands to type.
    """
    environment = Environment(
        loader=PackageLoader("tuner.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    environment.filters.update(value=words_of, figure=_figure_words, duration=duration, time=_time)
    scripts = [get_plotlyjs(), _source(environment, "report.js")]
    page = environment.get_template("report.html.jinja").render(
        studies=[
            _shown(study, f"study-{n}-" if len(studies) > 1 else "", storage) for n, study in enumerate(studies, 1)
        ],
        comparison=figures_of(compare(studies) if len(studies) > 1 else [], "comparison"),
        generator=GENERATOR,
        whose=mark_of([study.name for study in studies]),
        style=Markup(_source(environment, "report.css")),
        scripts=[Markup(script) for script in scripts],
        hashes=" ".join(f"'sha256-{_sha256(script)}'" for script in scripts),
    )
    return page.lstrip()


def mark_of(studies: Sequence[str]) -> str:
    """Tells the studies of a page from others, in a few letters that are safe anywhere."""
    return hashlib.sha256(json.dumps(list(studies)).encode()).hexdigest()[:16]


def _shown(study: StudyData, prefix: str, storage: str) -> _Study:
    facts = headline(study)
    columns, rows = _table(study)
    return _Study(
        prefix=prefix,
        facts=facts,
        first=_parts(study, FIRST_SECTIONS, prefix),
        closer=_parts(study, CLOSER_SECTIONS, prefix),
        broken=breakages(study),
        columns=columns,
        rows=rows,
        yaml=write_yaml(study.space),
        origin=provenance(study),
        commands=run_again(facts, storage),
    )


def _parts(study: StudyData, sections: Iterable[Section], prefix: str) -> tuple[_Part, ...]:
    return tuple(
        _Part(f"{prefix}{section.key}", section.title, figures_of(section.draw(study), f"{prefix}{section.key}"), section.missing)
        for section in sections
    )  # fmt: skip


def figures_of(figures: Iterable[go.Figure], section: str) -> tuple[_Figure, ...]:
    """Figures as the page has them; their titles become text beside them."""
    shown = []
    for number, figure in enumerate(figures, start=1):
        title, explanation = take_title(figure)
        height = int(figure.layout.height or HEIGHT)
        shown.append(_Figure(f"{section}-{number}", title, explanation, height, figure_json(figure)))
    return tuple(shown)


def figure_json(figure: go.Figure) -> Markup:
    """Data and layout of a figure for a script element: `<`, `>`, `&` and line separators of JavaScript are written as codes."""
    written = json.loads(figure.to_json())
    return htmlsafe_json_dumps(_halved(written), dumps=lambda values, **how: json.dumps(values, separators=(",", ":")))


def _halved(values: Any) -> Any:
    """Arrays of float64 as float32, where nobody can see the difference in a drawing."""
    if isinstance(values, list):
        return [_halved(value) for value in values]
    if not isinstance(values, dict):
        return values
    if values.get("dtype") != "f8" or not isinstance(values.get("bdata"), str):
        return {key: _halved(value) for key, value in values.items()}
    numbers = np.frombuffer(base64.b64decode(values["bdata"]), "<f8")
    finite = numbers[np.isfinite(numbers)]
    largest = np.abs(finite).max(initial=0.0)
    if largest > np.finfo(np.float32).max or largest * _FLOAT32_STEPS > 1e-5 * (np.ptp(finite) if len(finite) else 0.0):
        return values  # e.g. times in milliseconds since 1970
    return {**values, "dtype": "f4", "bdata": base64.b64encode(numbers.astype("<f4").tobytes()).decode()}


def _table(study: StudyData) -> tuple[tuple[str, ...], list[_Row]]:
    """Headings and rows of the table of trials."""
    parameters = parameter_columns(study.trials)
    headings = (
        "trial",
        "state",
        study.objective.name,
        "best epoch",
        "epochs",
        "attempts",
        *parameters.values(),
        "reason",
    )
    names = ("state", "value", "best_epoch", "epochs", "attempts", *parameters, "reason")
    rows = []
    for number, *values in study.trials[list(names)].itertuples():
        cells = tuple(_cell(value) for value in (number, *values))
        rows.append(_Row(int(number), str(values[0]), cells))
    return headings, rows


def _cell(value: Any) -> _Cell:
    if not is_in_force(value):
        return _Cell("–", "")
    return _Cell(words_of(value), repr(float(value)) if isinstance(value, int | float | np.number) else words_of(value))


def _figure_words(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def _time(moment: datetime | pd.Timestamp) -> str:
    return moment.strftime("%-d %B %Y, %H:%M UTC")


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
