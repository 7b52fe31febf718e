"""What executors and the study say to each other: assignments, reports, decisions, ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from storage.checkpoints import Checkpoint
from storage.transaction import Place

EPOCH_SECONDS = "seconds"  # the figure that executors add to a trainer's: how long the epoch took


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt at a trial, to be run from its newest good checkpoint. `attempt` is its fencing number.

    `checkpoints` are newest first; without any, the attempt begins with the first epoch.
    """

    trial: int
    attempt: int
    configuration: Mapping[str, Any]
    epochs: int
    checkpoints: tuple[Checkpoint, ...] = ()


class Idle(Enum):
    """There is no configuration to run now."""

    WAIT = "wait"  # until an event: enough trials run, or all that may run do
    FINISHED = "finished"  # for good: nothing runs, and nothing may begin
    SPENT = "spent"  # the study's hours are over: what runs is abandoned, its trials can be gone on with


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What an attempt says after an epoch, or after several of which only the last has figures.

    Epochs count from 1; gradient flow is layer -> mean |dL/dW|; output is what was printed since the last report;
    `checkpoint` is the state after the epoch, already written; `notes` are for people: of checkpoints that failed; `damaged`
    are those that cannot be read any more.
    """

    epoch: int
    metrics: Mapping[str, float]
    gradient_flow: Mapping[str, float]
    place: Place
    output: str = ""
    checkpoint: Checkpoint | None = None
    notes: tuple[str, ...] = ()
    damaged: tuple[Checkpoint, ...] = ()


def no_metric(name: str, report: EpochReport) -> str:
    """The reason of a trial whose trainer does not give the study's metric."""
    given = ", ".join(metric for metric in report.metrics if metric != EPOCH_SECONDS) or "nothing"
    return f"the trainer gave no {name!r} for epoch {report.epoch}; it gave {given}"


class Outcome(Enum):
    """What becomes of the attempt after an epoch."""

    GO_ON = "go on"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    SUSPENDED = "suspended"  # the trial can be gone on with: the budget is spent, or somebody stopped the study
    REFUSED = "refused"  # another attempt holds the trial; nothing was recorded


@dataclass(frozen=True, slots=True)
class Decision:
    """The study's answer to an epoch, with the reason in words."""

    outcome: Outcome
    reason: str = ""

    @property
    def stops(self) -> bool:
        """Whether the attempt ends here."""
        return self.outcome is not Outcome.GO_ON


class AttemptEnd(Enum):
    """How an attempt ended without a decision of the study."""

    RAISED = "failed"  # an exception in the training code
    TIMED_OUT = "timed_out"  # no new epoch for as long as an epoch may take
    OUT_OF_MEMORY = "out_of_memory"  # the host's
    OUT_OF_DEVICE_MEMORY = "out_of_device_memory"
    WORKER_LOST = "worker_lost"  # its process died
    NODE_LOST = "node_lost"  # its machine did
    EVICTED = "evicted"  # its process was asked to end (SIGTERM), or its memory was needed for another


class Decider(Protocol):
    """What an executor asks; the study, or something that watches it."""

    def next_trial(self) -> Assignment | Idle:
        """The next attempt to run, wait, or finished."""
        ...

    def on_epoch(self, assignment: Assignment, report: EpochReport) -> Decision:
        """Record an epoch and decide on it."""
        ...

    def on_end(self, assignment: Assignment, end: AttemptEnd, traceback: str, output: str = "") -> Outcome:
        """Record an attempt that ended by itself; FAILED, PRUNED (such a configuration cannot be trained here), or SUSPENDED
        when the trial will be tried again."""
        ...
