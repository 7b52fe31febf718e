"""Figures of a study: data frames in, plotly figures out. Report, dashboard and notebooks share them.

Trials are told by number and configuration when the mouse stands on them; `customdata` of a mark is its trial's number.
"""

from tuner.reporting.figures.comparison import best_over_hours, best_over_trials, final_values
from tuner.reporting.figures.curves import curve_metrics, learning_curves
from tuner.reporting.figures.gradients import gradient_flow, gradient_heat_map
from tuner.reporting.figures.history import optimization_history
from tuner.reporting.figures.parallel import parallel_coordinates
from tuner.reporting.figures.parameters import parameter_importance, slice_plots
from tuner.reporting.figures.rungs import brackets, rung_prediction, rungs
from tuner.reporting.figures.spending import Spending, spending, where_time_went
from tuner.reporting.figures.style import Objective
from tuner.reporting.figures.surface import contour, number_parameters
from tuner.reporting.figures.time_line import attempt_time_line

__all__ = [
    "Objective",
    "Spending",
    "attempt_time_line",
    "best_over_hours",
    "best_over_trials",
    "brackets",
    "contour",
    "curve_metrics",
    "final_values",
    "gradient_flow",
    "gradient_heat_map",
    "learning_curves",
    "number_parameters",
    "optimization_history",
    "parallel_coordinates",
    "parameter_importance",
    "rung_prediction",
    "rungs",
    "slice_plots",
    "spending",
    "where_time_went",
]
