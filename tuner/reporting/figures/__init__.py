"""Figures of a study: data frames in, plotly figures out. Report, dashboard and notebooks share them.

Trials are told by number and configuration when the mouse stands on them; `customdata` of a mark is its trial's number.
"""

from tuner.reporting.figures.curves import curve_metrics, learning_curves
from tuner.reporting.figures.gradients import gradient_flow, gradient_heat_map
from tuner.reporting.figures.history import optimization_history
from tuner.reporting.figures.rungs import brackets, rung_prediction, rungs
from tuner.reporting.figures.style import Objective

__all__ = [
    "Objective",
    "brackets",
    "curve_metrics",
    "gradient_flow",
    "gradient_heat_map",
    "learning_curves",
    "optimization_history",
    "rung_prediction",
    "rungs",
]
