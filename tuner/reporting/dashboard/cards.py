"""Figures as the page shows them: title and explanation as text above, zoom kept while the study goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from dash import dcc, html, no_update, set_props

from tuner.reporting.figures.style import take_title

_CONFIG: Any = {
    "displaylogo": False,
    "plotlyServerURL": "",  # plotly would offer to send the study to its maker's servers
    "modeBarButtonsToRemove": ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"],
}


@dataclass(frozen=True, slots=True)
class Card:
    """A figure, as plotly takes it, without its title, which is text above it. `height`: in pixels; the width is the page's."""

    title: str
    explanation: str
    figure: dict[str, Any]
    height: float


def make_cards(figures: Sequence[go.Figure], what: str) -> list[Card]:
    """Figures ready to be shown; their titles are taken out.

    Args:
        figures: of one section.
        what: they tell of: study and section. As long as it is the same, a page keeps its zoom and hidden traces.
    """
    return [_card(figure, f"{what}/{place}") for place, figure in enumerate(figures)]


def show_cards(cards: Sequence[Card], section: str, places: Sequence[Any]) -> Any:
    """The section's children, or no update where as many figures are there: those are only drawn anew, so that their zoom can
    be kept.

    Args:
        cards: what is to be seen.
        section: its key, unlike others on the page.
        places: ids of the figures that the page has in this section.
    """
    if len(places) != len(cards):
        return [_component(card, section, place) for place, card in enumerate(cards)]
    for place, card in enumerate(cards):
        set_props(_id(section, "title", place), {"children": card.title})
        set_props(_id(section, "explanation", place), {"children": card.explanation})
        set_props(_id(section, "figure", place), {"style": _style(card)})
        set_props(_id(section, "drawn", place), {"data": card.figure})  # dashboard.js adds the zoom
    return no_update


def _card(figure: go.Figure, revision: str) -> Card:
    title, explanation = take_title(figure)
    figure.update_layout(uirevision=revision)
    drawn = figure.to_plotly_json()
    for trace, as_sent in zip(figure.data, drawn["data"], strict=True):
        if trace.customdata is not None:  # Dash finds a clicked mark's only in a list, not in plotly's packed arrays
            as_sent["customdata"] = np.asarray(trace.customdata).tolist()
    return Card(title, explanation, drawn, figure.layout.height or 400)


def _component(card: Card, section: str, place: int) -> html.Div:
    graph = dcc.Graph(
        id=_id(section, "figure", place),
        figure=card.figure,
        config=_CONFIG,
        responsive=True,
        style=_style(card),
    )
    title = html.H3(card.title, id=_id(section, "title", place))
    explanation = html.P(card.explanation, id=_id(section, "explanation", place), className="explanation")
    drawn = dcc.Store(id=_id(section, "drawn", place))
    return html.Div([title, explanation, graph, drawn], className="card")


def _style(card: Card) -> dict[str, str]:
    return {"height": f"{card.height}px"}


def _id(section: str, part: str, place: int) -> dict[str, str | int]:
    return {"section": section, "part": part, "place": place}
