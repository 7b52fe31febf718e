"""All that it takes to train one trial again and compare: its file, what its attempts ran on, every figure. Writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.reading import StudyReader, TrialView, id_of_trial
from storage.tables import ATTEMPT, EPOCH_METRIC, GRADIENT_FLOW, LAUNCH, SPACE, TRIAL

Figures = Mapping[int, Mapping[str, float]]  # epoch -> name -> value


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """One try at a trial.

    Attributes:
        device: where it computed; None when it recorded no epoch.
        epochs_before: newest epoch that was recorded when it began.
        traceback: of the exception that ended it, or the reason in words; empty when it ended otherwise.
        versions: what its launch noted of packages, processor and code.
    """

    attempt: int
    outcome: str | None
    device: str | None
    cpus: float
    gpus: float
    epochs_before: int
    traceback: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RecordedTrial:
    """A trial with its attempts, oldest first; figures and gradient flow by epoch.

    `space` is the version of the file under which the trial was made, `data_fingerprint` that of its data.
    """

    view: TrialView
    space: Mapping[str, Any]
    data_fingerprint: str | None
    attempts: tuple[RecordedAttempt, ...]
    figures: Figures
    gradient_flow: Figures


def read_recorded_trial(reader: StudyReader, study: str, number: int) -> RecordedTrial:
    """A trial as it is recorded now.

    Raises: StudyNotFoundError, TrialNotFoundError: name those that are there.
    """
    whole = reader.study(study)
    view = whole.trial(number)
    this = id_of_trial(study, number)
    made_under = sa.select(SPACE.c.content, SPACE.c.data_fingerprint, TRIAL.c.layers).join(
        TRIAL, TRIAL.c.space_id == SPACE.c.space_id
    )
    with reader.reading() as connection:
        ours = connection.execute(made_under.where(TRIAL.c.trial_id == this)).one_or_none()
        return RecordedTrial(
            view,
            whole.space if ours is None else ours.content,  # None: put into Optuna's tables by hand, and not begun
            None if ours is None else ours.data_fingerprint,
            _attempts(connection, this),
            _figures(connection, this),
            {} if ours is None or ours.layers is None else _gradient_flow(connection, this, ours.layers),
        )


def _attempts(connection: Connection, this: sa.ScalarSelect[int]) -> tuple[RecordedAttempt, ...]:
    query = sa.select(ATTEMPT, LAUNCH.c.versions).join(LAUNCH, LAUNCH.c.launch_id == ATTEMPT.c.launch_id)
    return tuple(
        RecordedAttempt(
            row.attempt,
            row.outcome,
            row.device,
            row.cpus,
            row.gpus,
            row.epochs_before,
            row.traceback or "",
            row.versions,
        )
        for row in connection.execute(query.where(ATTEMPT.c.trial_id == this).order_by(ATTEMPT.c.attempt))
    )


def _figures(connection: Connection, this: sa.ScalarSelect[int]) -> Figures:
    query = sa.select(EPOCH_METRIC).where(EPOCH_METRIC.c.trial_id == this)
    found: dict[int, dict[str, float]] = {}
    for row in connection.execute(query.order_by(EPOCH_METRIC.c.epoch, EPOCH_METRIC.c.name)):
        found.setdefault(row.epoch, {})[row.name] = row.value
    return found


def _gradient_flow(connection: Connection, this: sa.ScalarSelect[int], layers: list[str]) -> Figures:
    query = sa.select(GRADIENT_FLOW).where(GRADIENT_FLOW.c.trial_id == this)
    return {
        row.epoch: dict(zip(layers, map(float, row.mean_abs_gradients), strict=False))
        for row in connection.execute(query.order_by(GRADIENT_FLOW.c.epoch))
    }
