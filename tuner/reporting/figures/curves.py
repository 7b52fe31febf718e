"""Learning curves: a metric after every epoch of every trial."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tuner.reporting.figures.curve_values import ValueRange, curve_table, metric_column, value_range
from tuner.reporting.figures.style import (
    FAINT_TEXT,
    INCUMBENT,
    LONGEST_AXIS_TITLE,
    STATE_COLORS,
    STATE_SYMBOLS,
    Objective,
    escape,
    hover_texts,
    new_figure,
    shortened,
    trace_id,
    wrapped,
)
from tuner.reporting.figures.thinning import ENVELOPE, envelope, telling_curves, telling_points

_SPLITS = ("validation_", "valid_", "val_", "train_", "training_", "test_")  # in the order in which they are shown
_NO_RESULTS = ("seconds", "learning_rate")  # what an epoch took and was given, not what came of it
_FROM_THE_BACK = ("pruned", "complete", "interrupted", "failed", "running")
_MARKED_AT_THE_END = ("pruned", "interrupted", "failed")
_FADED = {"pruned": 0.4, "interrupted": 0.5, "failed": 0.5}
_NOT_FINITE = "not finite"


def curve_metrics(epochs: pd.DataFrame, objective: Objective) -> list[str]:
    """The columns of `epochs` that are worth a figure, in the order in which to show them.

    The objective comes first, then the same quantity of other splits (train_accuracy beside validation_accuracy), then the
    others likewise. What an epoch took and its learning rate are left out.
    """
    first = metric_column(objective.name)
    columns = [c for c in epochs.columns if c not in ("trial", "epoch") and (c not in _NO_RESULTS or c == first)]
    return sorted(columns, key=lambda c: (_quantity(c) != _quantity(first), _quantity(c), c != first, _split(c)))


def learning_curves(
    epochs: pd.DataFrame, trials: pd.DataFrame, metric: str, objective: Objective, max_epochs: int
) -> go.Figure:
    """One metric after every epoch of every trial; stopped ones faded and marked where they ended.

    Figures of one quantity (train_loss and validation_loss) have the same range, so that they can be compared.

    Args:
        epochs, trials: as `StudyFrames.epochs` and `.trials`.
        metric: a column of `epochs`.
        objective: the study's metric; its best trial stands out.
        max_epochs: of a trial that nobody stops.
    Returns: a figure; of very many trials it draws some, and the envelope of all (see `thinning`).
    """
    table = curve_table(epochs, metric)
    curves = _Curves(metric, table, epochs.groupby("trial")["epoch"].max(), trials, objective, _range(epochs, metric, objective))  # fmt: skip
    figure = new_figure(
        f"{escape(metric)} of {curves.whose}", curves.explanation(), x="epoch", y=shortened(metric, LONGEST_AXIS_TITLE)
    )
    figure.update_xaxes(range=[0.5 if max_epochs < 20 else 0, max_epochs * 1.02])
    figure.update_yaxes(**curves.range.axis())
    if curves.are_thinned:
        figure.add_traces(_envelope_traces(envelope(table)))
    figure.add_traces(list(curves.lines()))
    figure.add_traces(list(curves.ends()))
    figure.add_traces(list(curves.beyond()))
    return figure


class _Curves:
    """The curves of one metric, and what is to be drawn of them."""

    def __init__(
        self, metric: str, table: pd.DataFrame, last_epochs: pd.Series, trials: pd.DataFrame, objective: Objective,
        axis: ValueRange,
    ) -> None:  # fmt: skip
        self.metric, self.table, self.trials, self.range = metric, table, trials, axis
        self._last_epochs = last_epochs
        self._states = trials["state"].reindex(table.index)
        self._worse_end = axis.near_edge(0.02 if _is_maximized(metric, objective) else 0.98)
        ranking = trials["value"][np.isfinite(trials["value"])].sort_values(ascending=objective.sign > 0, kind="stable")
        self._best = int(ranking.index[0]) if len(ranking) else None
        self._not_finite = _ends_not_finite(table, last_epochs)
        broken = table.index[self._states.eq("failed") | self._not_finite].tolist()
        running = table.index[self._states.eq("running")].tolist()
        self.drawn = telling_curves(table, ranking.index.tolist(), (broken, running))
        self._texts = hover_texts(trials.loc[self.drawn])
        finite = table.where(np.isfinite(table))
        self._leaving = table.index[((finite < axis.low) | (finite > axis.high)).any(axis=1)]

    @property
    def are_thinned(self) -> bool:
        return len(self.drawn) < len(self.table)

    @property
    def _best_name(self) -> str:
        return f"trial {self._best}" if len(self.table) == 1 else f"best: trial {self._best}"

    @property
    def whose(self) -> str:
        """Whose they are, in words."""
        return f"trial {self.table.index[0]}" if len(self.table) == 1 else "every trial"

    def explanation(self) -> str:
        """How to read the figure, with all that is not as one would expect."""
        alone = len(self.table) == 1
        words = [
            f"{'A' if alone else 'One line a trial; a'} mark is where one was stopped or broke, and pointing at it says why."
        ]
        if self.are_thinned:
            words.append(
                f"Drawn are {len(self.drawn)} of {len(self.table):,} curves: best, worst, extreme, broken, running ones and an even"
                " spread of the rest; the band holds the middle 80 % of all,"
                " its dashed line the median, dotted lines the lowest and highest."
            )
        if len(self._leaving):
            curves = "curve leaves" if len(self._leaving) == 1 else "curves leave"
            words.append(f"{len(self._leaving):,} {curves} the axis: a triangle at its edge says how far.")
        return " ".join(words)

    def lines(self) -> Iterator[go.Scatter]:
        """A trace a trial, the best one above all others. Where a state's trials have marks at their ends, these stand in the
        legend: faded lines can hardly be seen there."""
        named = set(_MARKED_AT_THE_END)
        clear = min(0.8, max(0.3, 30 / max(1, len(self.drawn))))  # where many lie upon each other, each is fainter
        for state in _FROM_THE_BACK:
            for number in self.drawn:
                if self._states[number] == state and number != self._best:
                    line = {"color": _faded(STATE_COLORS[state], min(clear, _FADED.get(state, 1.0))), "width": 1.3}
                    yield self._line(number, state, line, in_legend=state not in named)
                    named.add(state)
        if self._best in self._texts and self._best is not None:
            yield self._line(self._best, self._best_name, {"color": INCUMBENT, "width": 2.5}, in_legend=True)

    def ends(self) -> Iterator[go.Scatter]:
        """Where trials ended that did not run to their last epoch with finite figures."""
        kinds = self._states.where(~self._not_finite, _NOT_FINITE)
        for kind in (*_MARKED_AT_THE_END, _NOT_FINITE):
            numbers = [number for number in self.drawn if kinds[number] == kind]
            if numbers:
                color = STATE_COLORS.get(kind, STATE_COLORS["failed"])
                yield go.Scatter(
                    x=self._last_epochs[numbers], y=[self._last_value(number) for number in numbers], mode="markers",
                    name=kind, legendgroup=kind, uid=trace_id(f"ends {kind}"), customdata=numbers,
                    text=[self._end_text(number) for number in numbers], hovertemplate="%{text}<extra></extra>",
                    marker={"symbol": STATE_SYMBOLS.get(kind, "x"), "color": color, "size": 7, "line": {"width": 1.5, "color": color}},
                )  # fmt: skip

    def beyond(self) -> Iterator[go.Scatter]:
        """At the edge of the axis, where curves go furthest beyond it."""
        curves = self.table.loc[[number for number in self._leaving if number in self._texts]]
        curves = curves.where(np.isfinite(curves))
        above, below = curves[curves.max(axis=1) > self.range.high], curves[curves.min(axis=1) < self.range.low]
        if len(above):
            yield self._edge_marks("triangle-up", self.range.near_edge(0.98), above.idxmax(axis=1), above.max(axis=1))
        if len(below):
            yield self._edge_marks("triangle-down", self.range.near_edge(0.02), below.idxmin(axis=1), below.min(axis=1))

    def _edge_marks(self, symbol: str, height: float, epochs: pd.Series, values: pd.Series) -> go.Scatter:
        return go.Scatter(
            x=epochs, y=np.full(len(epochs), height), mode="markers", uid=trace_id(symbol), customdata=epochs.index, showlegend=False,
            text=[f"{self._text(n)} {values[n]:.4g} at epoch {epochs[n]}" for n in epochs.index],
            marker={"symbol": symbol, "size": 9, "color": [STATE_COLORS[self._states[n]] for n in epochs.index]},
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip

    def _line(self, number: int, name: str, line: dict[str, object], in_legend: bool) -> go.Scatter:
        curve = self.table.loc[number].loc[: self._last_epochs[number]]
        curve = curve.iloc[telling_points(curve.to_numpy())]
        known = curve.dropna()  # an epoch without this metric breaks no line; an infinite value does
        known = known.where(np.isfinite(known))
        return go.Scatter(
            x=known.index.to_numpy(), y=known.to_numpy(), mode="lines" if len(known) > 1 else "markers", name=name,
            legendgroup=self._states[number] if number != self._best else name, showlegend=in_legend, uid=trace_id(f"trial {number}"),
            line=line, marker={"color": line["color"], "size": 4}, customdata=np.full(len(known), number),
            text=self._text(number), hovertemplate="%{text} %{y:.4g} at epoch %{x}<extra></extra>",
        )  # fmt: skip

    def _last_value(self, number: int) -> float:
        finite = self.table.loc[number]
        finite = finite[np.isfinite(finite)]
        return float(finite.iloc[-1]) if len(finite) else self._worse_end

    def _end_text(self, number: int) -> str:
        epoch = self._last_epochs[number]
        return f"{self._text(number)} {self.table.loc[number, epoch]:.4g} at epoch {epoch}"

    def _text(self, number: int) -> str:
        """What is told of a trial, up to the metric's name."""
        reason = self.trials.loc[number, "reason"]
        return "<br>".join([self._texts[number], *([wrapped(reason)] if reason else []), escape(self.metric)])


def _range(epochs: pd.DataFrame, metric: str, objective: Objective) -> ValueRange:
    """The range of all figures of this quantity. Of what is to be maximized ratios mean little: an axis for it is linear."""
    twins = [c for c in epochs.columns if c not in ("trial", "epoch") and _quantity(c) == _quantity(metric)]
    return value_range(epochs[twins].to_numpy(), may_be_log=not _is_maximized(metric, objective))


def _is_maximized(metric: str, objective: Objective) -> bool:
    return objective.goal == "maximize" and _quantity(metric_column(objective.name)) == _quantity(metric)


def _ends_not_finite(table: pd.DataFrame, last_epochs: pd.Series) -> pd.Series:
    """Whether a trial's last figure is NaN or infinite. A metric that not every epoch has is NaN there as well, and breaks
    nothing."""
    last = pd.Series(
        [table.loc[number, epoch] for number, epoch in last_epochs.loc[table.index].items()], table.index, "float64"
    )
    known = table.notna()
    has_gaps = (known.iloc[:, ::-1].cummax(axis=1).iloc[:, ::-1] & ~known).to_numpy()[:, :-1].any()
    return pd.Series(np.isinf(last)) if has_gaps else ~np.isfinite(last)


def _envelope_traces(spans: pd.DataFrame) -> Sequence[go.Scatter]:
    """Behind the curves: the middle 80 % of all as a band, lowest and highest as dotted lines, the median as a dashed one."""
    text = ["<br>".join(f"{name} {row[name]:.4g}" for name in ENVELOPE) for _, row in spans.iterrows()]
    shared = {"x": spans.index.to_numpy(), "mode": "lines", "legendgroup": "all"}
    hidden = {**shared, "showlegend": False, "hoverinfo": "skip"}
    edge = {"color": FAINT_TEXT, "width": 1, "dash": "dot"}
    return [
        go.Scatter(y=spans["10 %"], uid=trace_id("10 %"), line={"width": 0}, **hidden),
        go.Scatter(y=spans["90 %"], uid=trace_id("90 %"), line={"width": 0}, fill="tonexty", fillcolor=_faded(FAINT_TEXT, 0.25),
                   name="middle 80 %", hoverinfo="skip", **shared),
        *(go.Scatter(y=spans[end], uid=trace_id(end), line=edge, **hidden) for end in ("lowest", "highest")),
        go.Scatter(y=spans["median"], uid="median", line={"color": FAINT_TEXT, "width": 2, "dash": "dash"}, text=text,
                   hovertemplate="%{text}<br>of all at epoch %{x}<extra></extra>", showlegend=False, **shared),
    ]  # fmt: skip


def _split(column: str) -> tuple[int, str]:
    prefix = next((split for split in _SPLITS if column.startswith(split)), "")
    return (_SPLITS.index(prefix) if prefix else len(_SPLITS), column)


def _quantity(column: str) -> str:
    """The name without the split it was measured on."""
    prefix = next((split for split in _SPLITS if column.startswith(split)), "")
    return column.removeprefix(prefix)


def _faded(color: str, opacity: float) -> str:
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
