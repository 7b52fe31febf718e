"""Everything that is remembered: one SQL database, Optuna's tables and ours (prefix `tuner_`) side by side."""
