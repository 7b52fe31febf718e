"""The order in which a study is told: report and dashboard show the same sections, each with its figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from tuner.reporting import figures
from tuner.reporting.importance import FEWEST_TRIALS, parameter_importance
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
    if not np.isfinite(study.trials["value"]).any():
        return []
    return [figures.optimization_history(study.trials, study.objective)]


def _learning_curves(study: StudyData) -> list[go.Figure]:
    if study.epochs.empty:
        return []
    metrics = figures.curve_metrics(study.epochs, study.objective)
    drawn = (study.epochs, study.trials)
    return [figures.learning_curves(*drawn, metric, study.objective, study.max_epochs) for metric in metrics]


def _rungs(study: StudyData) -> list[go.Figure]:
    decisions, trials, objective = study.decisions, study.trials, study.objective
    compared = [figures.rungs(decisions, trials, objective, bracket) for bracket in figures.brackets(decisions)]
    levels = sorted(decisions["rung"].dropna().unique())
    prediction = figures.rung_prediction(study.epochs, trials, objective, levels)
    return [*compared, prediction] if compared and prediction.data else compared


def _gradient_flow(study: StudyData) -> list[go.Figure]:
    flow, trials = study.gradient_flow, study.trials
    if flow.empty:
        return []
    maps = [figures.gradient_heat_map(flow, trials, int(number)) for number in flow["trial"].unique()]
    return [figures.gradient_flow(flow, trials, "early"), figures.gradient_flow(flow, trials, "late"), *maps]


def _parallel(study: StudyData) -> list[go.Figure]:
    if not np.isfinite(study.trials["value"]).any():
        return []
    return [figures.parallel_coordinates(study.trials, study.objective, study.space)]


def _importance(study: StudyData) -> list[go.Figure]:
    found = parameter_importance(study.trials, study.objective, study.space)
    if found is None:
        return []
    figure = figures.parameter_importance(found.shares, found.chance, found.num_trials, found.num_best, study.objective)
    return [figure]


def _slices(study: StudyData) -> list[go.Figure]:
    return figures.slice_plots(study.trials, study.objective, study.space)


def _contour(study: StudyData) -> list[go.Figure]:
    found = parameter_importance(study.trials, study.objective, study.space)
    names = figures.number_parameters(study.trials, study.space, () if found is None else list(found.shares.index))
    if len(names) < 2:
        return []
    return [figures.contour(study.trials, study.objective, study.space, names[0], names[1])]


def _time_line(study: StudyData) -> list[go.Figure]:
    if study.attempts.empty:
        return []
    return [figures.attempt_time_line(study.attempts, study.launches, study.trials, study.read_at)]


def _spending(study: StudyData) -> list[go.Figure]:
    return [] if study.attempts.empty else [figures.where_time_went(study.spending)]


# what most people look at; the report has broken trials and the table of trials behind it
FIRST_SECTIONS: tuple[Section, ...] = (
    Section("history", "How the search got on", _history, "No trial has a value yet."),
    Section("learning-curves", "Learning curves", _learning_curves, "No trial has finished an epoch yet."),
    Section("rungs", "Early stopping", _rungs, "No trial has been compared with others at a rung."),
    Section("gradient-flow", "Gradient flow", _gradient_flow, "No trial recorded the gradient flow of its layers."),
)
CLOSER_SECTIONS: tuple[Section, ...] = (  # for those who want to know more
    Section("parallel-coordinates", "Configurations side by side", _parallel, "No trial has a value yet."),
    Section(
        "importance", "Which parameters matter", _importance,
        f"Less than {FEWEST_TRIALS} trials are complete or stopped, or no parameter has a choice.",
    ),
    Section("slice", "Each parameter by itself", _slices, "No trial has a value yet, or no parameter has a choice."),
    Section("contour", "Two parameters at once", _contour, "Less than two parameters are searched as ranges of numbers."),
    Section("time-line", "Who worked when", _time_line, "No trial has begun."),
    Section("spending", "Where the time went", _spending, "No trial has begun."),
)  # fmt: skip
SECTIONS = (*FIRST_SECTIONS, *CLOSER_SECTIONS)


def compare(studies: Sequence[StudyData]) -> list[go.Figure]:
    """Figures of several studies side by side; only studies that search by the same metric can be in one."""
    drawn = []
    for objective in dict.fromkeys(study.objective for study in studies):
        alike = [study for study in studies if study.objective == objective]
        if len(alike) > 1:
            trials = {study.name: study.trials for study in alike}
            attempts = {study.name: study.attempts for study in alike}
            drawn += [
                figures.best_over_trials(trials, objective),
                figures.best_over_hours(trials, attempts, objective),
                figures.final_values(trials, objective),
            ]
    return drawn
