"""What runs on a worker: one attempt after another, each a trainer called once an epoch. Knows no database."""

import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from storage.transaction import Place
from tuner.errors import TrainingError
from tuner.events import EPOCH_SECONDS, Assignment, AttemptEnd, EpochReport
from tuner.execution.hanging import NoTimeLimit, TimeLimit
from tuner.execution.saving import Keeper, Saving
from tuner.execution.shared_data import checksum
from tuner.training.memory import exhausted_memory
from tuner.training.trainer import (
    Trainer,
    checked_numbers,
    choose_device,
    find_trainer,
    make_prepared,
    train_one_epoch,
)

_ENDS = {
    None: AttemptEnd.RAISED,
    "host": AttemptEnd.OUT_OF_MEMORY,
    "device": AttemptEnd.OUT_OF_DEVICE_MEMORY,
}


@dataclass(frozen=True, slots=True)
class Job:
    """An assignment and all a worker needs to run it."""

    assignment: Assignment
    trainer: str
    cpus: float
    gpus: float
    checkpoint_every: int = 1
    checksum: int | None = None  # of the shared data, as the driver loaded them
    timeout_seconds: float | None = None  # for an epoch


@dataclass(frozen=True, slots=True)
class Broken:
    """The training code raised; the traceback and what was printed before it are all that is left of it."""

    traceback: str
    output: str = ""
    end: AttemptEnd = AttemptEnd.RAISED


class AttemptRunner:
    """Runs one job, epoch by epoch; the trainer is made with the first one, so that its errors are reported too.

    Args:
        job: what to run.
        data: what the trainer is given.
        take_output: gives what was printed since it was last asked.
        keeper: keeps the trainer's states; None where the attempt begins from scratch and keeps nothing.
        time_limit: ends this process when an epoch takes too long.
    """

    def __init__(
        self,
        job: Job,
        data: Any,
        take_output: Callable[[], str] = lambda: "",
        keeper: Keeper | None = None,
        time_limit: TimeLimit | None = None,
    ) -> None:
        self._time_limit = time_limit or NoTimeLimit()
        self._saving = Saving(keeper, job.checkpoint_every)
        self._take_output = take_output
        self._job = job
        self._data = data
        self._epoch = 0
        self._trainer: Trainer | None = None
        self._layers: list[str] | None = None

    @property
    def epoch(self) -> int:
        """The epoch that was begun last, 0 before the first."""
        return self._epoch

    def run_epoch(self) -> EpochReport | Broken:
        """Train until the next epoch that has figures and say what came of it."""
        try:
            return self._report()
        except Exception as error:
            self._trainer = None  # with all the memory it holds: this process goes on with another trial
            return Broken(traceback.format_exc(), self._take_output(), _ENDS[exhausted_memory(error)])

    def _report(self) -> EpochReport:
        begin = time.perf_counter()
        trainer = self._trainer = self._trainer or self._restored_trainer()
        with self._limited():
            metrics = self._train(trainer)
            flow = self._checked_flow(trainer.gradient_flow()) if hasattr(trainer, "gradient_flow") else {}
        if EPOCH_SECONDS in metrics:
            raise TrainingError(f"{EPOCH_SECONDS!r} is the name of an epoch's wall time; give your metric another one")
        if self._epoch == self._job.assignment.epochs:
            self._refuse_changed_data()
        kept = self._saving.save(self._job.assignment, trainer, self._epoch)
        metrics[EPOCH_SECONDS] = time.perf_counter() - begin
        output, notes, damaged = self._take_output(), self._saving.take_notes(), self._saving.take_damaged()
        return EpochReport(self._epoch, metrics, flow, self._place(), output, kept, notes, damaged)

    def _train(self, trainer: Trainer) -> dict[str, float]:
        while True:
            self._epoch += 1
            self._time_limit.begin()
            metrics = train_one_epoch(trainer, self._epoch, self._job.assignment.epochs)
            if metrics is not None:
                return metrics

    def _restored_trainer(self) -> Trainer:
        job = self._job
        self._refuse_changed_data()
        with self._limited():
            make = find_trainer(job.trainer)
            trainer = make_prepared(make, job.assignment.configuration, self._data, choose_device(job.gpus), job.cpus)
        self._epoch = self._saving.restore(job.assignment, trainer)
        return trainer

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """The trainer's own time: what checkpoints take on their way is not its fault."""
        self._time_limit.begin()
        try:
            yield
        finally:
            self._time_limit.end()

    def _checked_flow(self, flow: Mapping[str, Any]) -> dict[str, float]:
        checked = checked_numbers("gradient_flow()", flow)
        self._layers = self._layers or list(checked)
        if list(checked) != self._layers:
            raise TrainingError("gradient_flow() must name the same layers in every epoch; "
                                f"it gave {list(checked)}, before {self._layers}")  # fmt: skip
        return checked

    def _refuse_changed_data(self) -> None:
        """All trials of a node map the same memory: one that writes into it would spoil the others unseen."""
        if self._job.checksum is not None and checksum(self._data) != self._job.checksum:
            raise TrainingError(
                "the shared data set has been changed while trials ran: a trainer wrote into its arrays; copy what you change"
            )

    def _place(self) -> Place:
        return Place(socket.gethostname(), os.getpid(), self._device())

    def _device(self) -> str:
        device = choose_device(self._job.gpus)
        if "torch" not in sys.modules:
            return device
        from tuner.training.device import device_name

        return device_name(device)
