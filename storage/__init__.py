"""Everything that is remembered: one SQL database, Optuna's tables and ours (prefix `tuner_`) side by side."""

import warnings

# Optuna's import, in a notebook: advice to install ipywidgets for progress bars that are not ours
warnings.filterwarnings("ignore", message="IProgress not found")
