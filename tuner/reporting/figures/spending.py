"""Where the time went: hours of training by what became of them, and the hours that early stopping saved."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tuner.reporting.figures.lanes import attempts_until, launches_until
from tuner.reporting.figures.ranking import by_value
from tuner.reporting.figures.style import STATE_COLORS, Objective, new_figure

NUM_WINNERS = 3
_BROKEN = ("not_finite", "out_of_memory")  # rules that stop a trial which cannot be trained
_COLORS = {
    "best three": STATE_COLORS["complete"],
    "other complete": STATE_COLORS["complete"],
    "stopped early": STATE_COLORS["pruned"],
    "broken": STATE_COLORS["failed"],
    "run again": STATE_COLORS["waiting"],
    "not done yet": STATE_COLORS["running"],
}


@dataclass(frozen=True, slots=True)
class Spending:
    """Hours of attempts, added up: two trials beside each other for an hour are two hours.

    Attributes:
        hours: kind -> hours, in this order: best three (complete trials by value), other complete, stopped early, broken
            (failed, not finite, or too large for the memory), run again (what attempts lost that others had to repeat), not
            done yet (running and interrupted trials).
        saved_hours: what early stopping saved: the epochs that stopped trials did not run, at their own speed.
        num_stopped: how many trials it stopped.
    """

    hours: Mapping[str, float]
    saved_hours: float
    num_stopped: int

    @property
    def total_hours(self) -> float:
        """Of all kinds."""
        return sum(self.hours.values())


def spending(
    trials: pd.DataFrame,
    attempts: pd.DataFrame,
    launches: pd.DataFrame,
    decisions: pd.DataFrame,
    objective: Objective,
    max_epochs: int,
    now: pd.Timestamp,
) -> Spending:
    """Where the time of a study went.

    Args:
        trials, attempts, launches, decisions: as those of `StudyFrames`.
        objective: the study's metric.
        max_epochs: epochs of a trial that nobody stops.
        now: when the frames were read; what still runs has run until then.
    """
    until = attempts_until(attempts, launches_until(launches, attempts, trials, now))
    used = _used(until, trials["epochs"])
    kinds = _kinds(trials, decisions, objective).reindex(used.index).fillna("not done yet")
    hours = used["seconds"].groupby(kinds).sum() / 3600
    lost = used["lost_seconds"].sum() / 3600
    by_rule = decisions[(decisions["verdict"] == "stop") & decisions["rung"].notna()]["trial"].unique()
    stopped = used[used.index.isin(by_rule) & used.index.isin(trials.index[trials["state"] == "pruned"])]
    saved = (max_epochs - trials["epochs"].reindex(stopped.index)).clip(lower=0) * stopped["seconds_per_epoch"]
    found = {kind: float(hours.get(kind, 0.0)) for kind in _COLORS} | {"run again": float(lost)}
    return Spending(found, float(saved.sum()) / 3600, len(stopped))


def where_time_went(spent: Spending) -> go.Figure:
    """Bars: hours by what became of the trials, and below them the hours that early stopping saved.

    Args:
        spent: as `spending` gives it.
    """
    hours = {**spent.hours, "saved": spent.saved_hours}
    unit, size = time_unit(max(hours.values()))
    total = spent.total_hours
    figure = new_figure(
        "Where the time went",
        "Time of all attempts, added up over workers. Run again: what was lost when something died. Saved, the empty bar: what "
        f"the {spent.num_stopped} trials that early stopping stopped would have taken for their other epochs, each at its own speed.",
        x=f"{unit} of training",
    )
    rows = list(range(len(hours)))
    shares = [f" ({value / total:.0%})" if value and kind in spent.hours else "" for kind, value in hours.items()]
    figure.add_bar(
        x=[value * size for value in hours.values()], y=rows, orientation="h", width=0.6, showlegend=False, cliponaxis=False,
        text=[f"{value * size:.3g}{share}" for value, share in zip(hours.values(), shares, strict=True)],
        textposition="outside", textfont={"size": 12}, hovertext=list(hours), hovertemplate=f"%{{hovertext}}: %{{x:.2f}} {unit}<extra></extra>",
        marker={"color": [*_COLORS.values(), "rgba(0,0,0,0)"],
                "line": {"width": 1.5, "color": [*_COLORS.values(), STATE_COLORS["pruned"]]}},
    )  # fmt: skip
    figure.update_xaxes(range=[0, 1.5 * size * max(*hours.values(), 1e-9)], nticks=5)
    figure.update_yaxes(tickvals=rows, ticktext=list(hours), autorange="reversed", showgrid=False)
    return figure


def time_unit(longest: float) -> tuple[str, float]:
    """The unit in which hours of up to `longest` are shown, and how many of it make an hour."""
    return ("hours", 1.0) if longest >= 1 else ("minutes", 60.0)


def _kinds(trials: pd.DataFrame, decisions: pd.DataFrame, objective: Objective) -> pd.Series:
    """Trial -> what became of it."""
    kinds = trials["state"].map({"complete": "other complete", "pruned": "stopped early", "failed": "broken"})
    complete = by_value(trials[trials["state"] == "complete"], objective)
    kinds[complete.index[:NUM_WINNERS]] = "best three"
    broken = decisions[(decisions["verdict"] == "stop") & decisions["rule"].isin(_BROKEN)]["trial"]
    kinds[kinds.index.isin(broken) & (trials["state"] == "pruned")] = "broken"
    return kinds.fillna("not done yet")


def _used(attempts: pd.DataFrame, epochs: pd.Series) -> pd.DataFrame:
    """Trial -> seconds of its recorded epochs, lost_seconds, seconds_per_epoch (that of the attempt with most epochs).

    An attempt gained the epochs between the newest one when it began and that when the next began. What the attempts of a
    trial took beyond its recorded epochs was lost, or run again; that of a trial with one attempt is its beginning and end.
    """
    ordered = attempts.sort_values(["trial", "attempt"])
    by_trial = ordered.groupby("trial")
    newest = by_trial["epochs_before"].shift(-1).fillna(ordered["trial"].map(epochs))
    ordered = ordered.assign(gained=(newest - ordered["epochs_before"]).clip(lower=0))
    most = ordered.sort_values("gained", kind="stable").groupby("trial").tail(1).set_index("trial")
    speed = (most["seconds"] / most["gained"].where(most["gained"] > 0)).sort_index()
    whole = by_trial["seconds"].sum()
    useful = (speed * ordered.groupby("trial")["gained"].sum()).fillna(0.0).clip(upper=whole)
    several = by_trial.size() > 1
    useful = useful.where(several, whole)
    return pd.DataFrame({
        "seconds": useful, "lost_seconds": whole - useful, "seconds_per_epoch": speed.replace(np.inf, np.nan).fillna(0.0),
    })  # fmt: skip
