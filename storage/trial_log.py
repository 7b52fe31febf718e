"""All that is recorded of one trial: its attempts with what they printed, and every decision on it. Writes nothing."""

from dataclasses import dataclass

import sqlalchemy as sa

from storage.columns import database_now
from storage.reading import StudyReader, TrialView, id_of_trial
from storage.tables import ATTEMPT, DECISION


@dataclass(frozen=True, slots=True)
class AttemptLog:
    """One try at the trial. Times are unix seconds; `seconds` is how long it ran, to now where it still runs."""

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
    seconds = (sa.func.coalesce(ATTEMPT.c.ended_at, database_now()) - ATTEMPT.c.started_at).label("seconds")
    attempts = sa.select(ATTEMPT, seconds).where(ATTEMPT.c.trial_id == this).order_by(ATTEMPT.c.attempt)
    decisions = sa.select(DECISION).where(DECISION.c.trial_id == this).order_by(DECISION.c.decision_id)
    with reader.reading() as connection:
        return TrialLog(
            trial,
            tuple(
                AttemptLog(
                    row.attempt,
                    row.outcome,
                    row.started_at,
                    row.seconds,
                    row.node,
                    row.worker,
                    row.device,
                    row.traceback or "",
                    row.output or "",
                )
                for row in connection.execute(attempts)
            ),
            tuple(
                DecisionLog(row.epoch, row.rule, row.verdict, row.reason, row.value, row.cutoff)
                for row in connection.execute(decisions)
            ),
        )
