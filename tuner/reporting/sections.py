"""The order in which a study is told: report and dashboard show the same sections, each with its figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from tuner.reporting import figures
from tuner.reporting.study_data import StudyData


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the story.

    Attributes:
        key: its name in addresses and file names.
        title: its heading.
        draw: the figures side by side; none where the study has nothing to show there.
        missing: what a study must have to show something, in words, for when it has not.
    """

    key: str
    title: str
    draw: Callable[[StudyData], list[go.Figure]]
    missing: str


def _history(study: StudyData) -> list[go.Figure]:
    return [figures.optimization_history(study.trials, study.objective)]


# what most people look at; the report has broken trials and the table of trials behind it
FIRST_SECTIONS: tuple[Section, ...] = (
    Section("history", "How the search got on", _history, "No trial has a value yet."),
)
CLOSER_SECTIONS: tuple[Section, ...] = ()  # for those who want to know more
SECTIONS = (*FIRST_SECTIONS, *CLOSER_SECTIONS)


def compare(studies: Sequence[StudyData]) -> list[go.Figure]:
    """Figures of several studies side by side; only studies that search by the same metric can be in one."""
    return []
