"""Figures as the page shows them: title and explanation as text above, zoom kept while the study goes on."""

import html as markup
import re
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from dash import dcc, html

from tuner.reporting.figures.style import take_title

_CONFIG: Any = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def cards(figures: Sequence[go.Figure], key: str, study: str) -> list[html.Div]:
    """A grid of figures.

    Args:
        figures: to be shown; their titles are taken out.
        key: of the section, unlike others on the page.
        study: and, for the figures of one, its trial: whatever else is shown later begins unzoomed.
    """
    return [_card(figure, key, place, study) for place, figure in enumerate(figures)]


def _card(figure: go.Figure, key: str, place: int, study: str) -> html.Div:
    title, explanation = take_title(figure)
    figure.update_layout(uirevision=f"{study}/{key}/{place}")
    height = figure.layout.height or 400
    graph = dcc.Graph(
        id={"figure": key, "place": place},
        figure=figure,
        config=_CONFIG,
        responsive=True,
        style={"height": f"{height}px"},
    )
    return html.Div(
        [html.H3(_text(title)), html.P(_text(explanation), className="explanation"), graph], className="card"
    )


def _text(words: str) -> str:
    """A figure's text, which is escaped for plotly, as it is meant."""
    return markup.unescape(re.sub(r"<br\s*/?>", " ", words))
