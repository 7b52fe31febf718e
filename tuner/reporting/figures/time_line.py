"""Who worked when: attempts at trials over the workers of each node, and the launches that ran them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from tuner.reporting.figures.lanes import attempts_until, lanes, launches_until
from tuner.reporting.figures.parameter_axes import cut
from tuner.reporting.figures.style import (
    FAINT_TEXT,
    GRID,
    HEIGHT,
    INCUMBENT,
    PAPER,
    STATE_COLORS,
    escape,
    hover_texts,
    new_figure,
)

_LANE_HEIGHT = 14  # pixels, at least
_NODE_LETTERS = 10
_MOST_WITH_BORDER = 150  # bars of one kind; of more a border would leave nothing


@dataclass(frozen=True, slots=True)
class _Kind:
    """Attempts that ended alike: how legends call them, and the outcomes of their rows."""

    name: str
    color: str
    outcomes: tuple[str, ...]


_DIED = ("launch_died", "worker_lost", "node_lost", "answer_lost", "out_of_memory")
_KINDS = (
    _Kind("done", STATE_COLORS["complete"], ("finished",)),
    _Kind("stopped", STATE_COLORS["pruned"], ("stopped",)),
    _Kind("running", STATE_COLORS["running"], ("running",)),
    _Kind("interrupted", STATE_COLORS["interrupted"], ("interrupted", "suspended", "evicted")),
    _Kind("died", STATE_COLORS["waiting"], _DIED),
    _Kind("failed", STATE_COLORS["failed"], ()),  # all others
)


def attempt_time_line(
    attempts: pd.DataFrame, launches: pd.DataFrame, trials: pd.DataFrame, now: pd.Timestamp
) -> go.Figure:
    """Bars of attempts: one lane for each trial that a node ran at once; above them the launches.

    Args:
        attempts, launches, trials: as those of `StudyFrames`.
        now: when they were read; what still runs ends there.
    """
    launches = launches_until(launches, attempts, trials, now)
    attempts = _in_utc(attempts_until(attempts, launches)).sort_values(["started_at", "trial"], kind="stable")
    attempts, launches = _in_lanes(attempts), _in_utc(launches)
    num_lanes = int(attempts["lane"].max()) + 1 if len(attempts) else 1
    figure = new_figure(
        "Who worked when",
        "A bar is an attempt at a trial; lanes are the trials that a node ran at once. Black above: launches, each begins at "
        "a dotted line; × marks what died. White is time in which nobody worked.",
        x="time (UTC)",
        height=max(HEIGHT, _LANE_HEIGHT * num_lanes + 130),
        barmode="overlay",
    )
    _add_launches(figure, launches, num_lanes)
    texts = hover_texts(trials[trials.index.isin(attempts["trial"])])
    for kind, of_kind in _by_kind(attempts):
        _add_bars(figure, of_kind, kind, texts)
    _add_deaths(figure, attempts, launches)
    centers = attempts.groupby("node", sort=False)["lane"].agg(["min", "max"]).mean(axis=1)
    labels = [cut(node, _NODE_LETTERS) for node in centers.index]
    figure.update_yaxes(
        tickvals=[-1, *centers], ticktext=["launches", *labels], range=[num_lanes - 0.4, -1.6], showgrid=False
    )
    figure.update_xaxes(type="date", nticks=5, tickangle=0)
    return figure


def _in_utc(frame: pd.DataFrame) -> pd.DataFrame:
    """With the times that are drawn as plotly shows them: without a zone, or a browser would shift some by its own."""
    return frame.assign(
        **{name: frame[name].dt.tz_convert("UTC").dt.tz_localize(None) for name in ("started_at", "until")}
    )


def _in_lanes(attempts: pd.DataFrame) -> pd.DataFrame:
    """Attempts with the column `lane`; those of one node stand together, in the order in which nodes came in."""
    lane = pd.Series(0, attempts.index, dtype="int64")
    first = 0
    for _, of_node in attempts.groupby("node", sort=False):
        starts, ends = (of_node[c].map(pd.Timestamp.timestamp) for c in ("started_at", "until"))
        lane[of_node.index] = [first + place for place in lanes(list(starts), list(ends))]
        first = int(lane[of_node.index].max()) + 1
    return attempts.assign(lane=lane)


def _by_kind(attempts: pd.DataFrame) -> Iterator[tuple[_Kind, pd.DataFrame]]:
    known = {outcome for kind in _KINDS for outcome in kind.outcomes}
    for kind in _KINDS:
        chosen = attempts["outcome"].isin(kind.outcomes) if kind.outcomes else ~attempts["outcome"].isin(known)
        if chosen.any():
            yield kind, attempts[chosen]


def _add_bars(figure: go.Figure, attempts: pd.DataFrame, kind: _Kind, texts: Mapping[int, str]) -> None:
    words = [
        f"{texts.get(row.trial, f'trial {row.trial}')}<br>attempt {row.attempt}: {escape(row.outcome)}, "
        f"{duration_words(row.seconds)}<br>on {escape(row.node)}{_device(row.device)}, launch {row.launch_id}"
        for row in attempts.itertuples()
    ]
    border = 0.5 if len(attempts) <= _MOST_WITH_BORDER else 0
    figure.add_bar(
        base=attempts["started_at"], x=attempts["seconds"] * 1000, y=attempts["lane"], orientation="h", width=0.8, name=kind.name,
        marker={"color": kind.color, "line": {"width": border, "color": PAPER}}, customdata=attempts["trial"], text=words, textposition="none",
        ids=[f"{row.trial}-{row.attempt}" for row in attempts.itertuples()], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _add_launches(figure: go.Figure, launches: pd.DataFrame, num_lanes: int) -> None:
    """A bar each above the lanes, and a line down where it begins."""
    borders = [y for start in launches["started_at"] for y in ((start, -1.3), (start, num_lanes - 0.4), (None, None))]
    figure.add_scatter(
        x=[x for x, _ in borders], y=[y for _, y in borders], mode="lines", showlegend=False, hoverinfo="skip",
        line={"color": FAINT_TEXT, "width": 1, "dash": "dot"},
    )  # fmt: skip
    seconds = (launches["until"] - launches["started_at"]).dt.total_seconds().clip(lower=0.0)
    words = [
        f"<b>launch {row.launch_id}</b>: {escape(row.outcome)}, {duration_words(spent)}<br>on {escape(row.hostname)}, "
        f"process {row.pid}"
        for row, spent in zip(launches.itertuples(), seconds, strict=True)
    ]
    figure.add_bar(
        base=launches["started_at"], x=seconds * 1000, y=[-1] * len(launches), orientation="h", width=0.5, showlegend=False,
        marker={"color": INCUMBENT, "opacity": 0.75, "line": {"width": 1, "color": GRID}}, text=words, textposition="none",
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _add_deaths(figure: go.Figure, attempts: pd.DataFrame, launches: pd.DataFrame) -> None:
    """Marks at the ends of what died: of bars narrower than a pixel nothing else would be seen."""
    dead = attempts[attempts["outcome"].isin(_DIED)]
    ended = launches[launches["outcome"] == "died"]
    if len(dead) or len(ended):
        figure.add_scatter(
            x=[*dead["until"], *ended["until"]], y=[*dead["lane"], *[-1] * len(ended)], mode="markers", showlegend=False,
            hoverinfo="skip", marker={"symbol": "x", "size": 8, "color": STATE_COLORS["failed"], "line": {"width": 1, "color": PAPER}},
        )  # fmt: skip


def _device(device: object) -> str:
    return f", {escape(device)}" if isinstance(device, str) else ""


def duration_words(seconds: float) -> str:
    """A duration in its two largest units."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
