"""All that is recorded of one trial: its attempts with what they printed, and every decision on it. Writes nothing."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.columns import database_now
from storage.launches import open_launches
from storage.reading import StudyReader, TrialView, id_of_trial
from storage.tables import ATTEMPT, DECISION, LAUNCH


@dataclass(frozen=True, slots=True)
class AttemptLog:
    """One try at the trial. Times are unix seconds; `seconds` is how long it ran, to now where it still runs. One of a launch
    that died without a word ended when the launch was last heard of."""

    attempt: int
    outcome: str | None
    started_at: float
    seconds: float
    node: str | None
    worker: int | None
    device: str | None
    traceback: str
    output: str


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """A verdict, with what was compared; `cutoff` is None where nobody came before."""

    epoch: int
    rule: str
    verdict: str
    reason: str
    value: float
    cutoff: float | None


@dataclass(frozen=True, slots=True)
class TrialLog:
    """A trial with its attempts and decisions, oldest first."""

    trial: TrialView
    attempts: tuple[AttemptLog, ...]
    decisions: tuple[DecisionLog, ...]


def read_trial_log(reader: StudyReader, study: str, number: int) -> TrialLog:
    """The log of a trial.

    Raises: StudyNotFoundError, TrialNotFoundError: name those that are there.
    """
    trial = reader.study(study).trial(number)
    this = id_of_trial(study, number)
    attempts = (
        sa.select(ATTEMPT, LAUNCH.c.study_id, LAUNCH.c.heartbeat_at, database_now().label("now"))
        .join(LAUNCH, LAUNCH.c.launch_id == ATTEMPT.c.launch_id)
        .where(ATTEMPT.c.trial_id == this)
    )
    decisions = sa.select(DECISION).where(DECISION.c.trial_id == this).order_by(DECISION.c.decision_id)
    with reader.reading() as connection:
        rows = connection.execute(attempts.order_by(ATTEMPT.c.attempt)).all()
        unfinished = open_launches(connection, rows[0].study_id) if rows else []
        living = {launch.launch_id for launch in unfinished if launch.is_alive()}
        return TrialLog(
            trial,
            tuple(_attempt(row, row.launch_id in living) for row in rows),
            tuple(
                DecisionLog(row.epoch, row.rule, row.verdict, row.reason, row.value, row.cutoff)
                for row in connection.execute(decisions)
            ),
        )


def _attempt(row: sa.Row[Any], launch_is_alive: bool) -> AttemptLog:
    outcome, ended_at = row.outcome, row.ended_at
    if ended_at is None and not launch_is_alive:
        outcome, ended_at = "launch_died", max(row.heartbeat_at, row.started_at)
    return AttemptLog(
        row.attempt,
        outcome,
        row.started_at,
        (row.now if ended_at is None else ended_at) - row.started_at,
        row.node,
        row.worker,
        row.device,
        row.traceback or "",
        row.output or "",
    )
