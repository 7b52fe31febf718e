"""Alembic's revisions of our tables; Optuna keeps its own."""
