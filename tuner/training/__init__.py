"""Training one configuration: PyTorch only, runs without Ray, Optuna and a database."""
