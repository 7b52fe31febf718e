"""Figures of a study: data frames in, plotly figures out. Report, dashboard and notebooks share them.

Trials are told by number and configuration when the mouse stands on them; `customdata` of a mark is its trial's number.
"""

from tuner.reporting.figures.history import optimization_history
from tuner.reporting.figures.style import Objective

__all__ = ["Objective", "optimization_history"]
