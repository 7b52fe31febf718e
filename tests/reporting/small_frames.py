"""Frames as `StudyFrames` gives them, written by hand."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tuner.reporting.figures import Objective

HIGHER, LOWER = Objective("score", "maximize"), Objective("loss", "minimize")
START = pd.Timestamp("2026-01-01 12:00", tz="UTC")


def at(seconds: float | None) -> pd.Timestamp:
    """A time of the story, in seconds from its start."""
    return pd.NaT if seconds is None else START + pd.Timedelta(seconds=seconds)


def trials_frame(
    states: Sequence[str], values: Sequence[float], epochs: Sequence[int] | int = 9, **parameters: Sequence[Any]
) -> pd.DataFrame:
    """Trials 0, 1, … with these parameters."""
    numbers = pd.Index(range(len(states)), dtype="int64", name="number")
    columns = {
        "state": list(states),
        "value": np.array(values, np.float64),
        "best_epoch": pd.array([1] * len(states), "Int64"),
        "epochs": np.broadcast_to(np.array(epochs, np.int64), len(states)),
        "attempts": np.ones(len(states), np.int64),
        "reason": [""] * len(states),
        **{f"params_{name}": list(column) for name, column in parameters.items()},
    }
    return pd.DataFrame(columns, index=numbers)


def attempts_frame(rows: Iterable[tuple[int, int, int, float, float | None, str | None, int]]) -> pd.DataFrame:
    """Attempts: (trial, attempt, launch, start, end, outcome, epochs before)."""
    return pd.DataFrame(
        [
            (trial, attempt, launch, "node", 7, "cpu", 1.0, 0.0, before, at(start), at(end), outcome, None)
            for trial, attempt, launch, start, end, outcome, before in rows
        ],
        columns=[
            *("trial", "attempt", "launch_id", "node", "worker", "device", "cpus", "gpus", "epochs_before"),
            *("started_at", "ended_at", "outcome", "traceback"),
        ],
    ).pipe(_with_times, "started_at", "ended_at")


def launches_frame(rows: Iterable[tuple[int, float, float, float | None, str | None]]) -> pd.DataFrame:
    """Launches: (id, start, heartbeat, end, outcome)."""
    return pd.DataFrame(
        [(i, "host", 1, at(start), at(beat), at(end), outcome, {}, []) for i, start, beat, end, outcome in rows],
        columns=[
            "launch_id",
            "hostname",
            "pid",
            "started_at",
            "heartbeat_at",
            "ended_at",
            "outcome",
            "versions",
            "argv",
        ],
    ).pipe(_with_times, "started_at", "heartbeat_at", "ended_at")


def decisions_frame(rows: Iterable[tuple[int, int, str, str, int | None]]) -> pd.DataFrame:
    """Decisions: (trial, epoch, rule, verdict, rung)."""
    frame = pd.DataFrame(list(rows), columns=["trial", "epoch", "rule", "verdict", "rung"])
    return frame.astype({"rung": "Int64"})


def _with_times(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame.assign(**{name: pd.to_datetime(frame[name], utc=True) for name in names})
