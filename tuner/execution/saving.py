"""Checkpoints as an attempt uses them: written after an epoch, read when it begins, and told in words when that fails."""

from dataclasses import dataclass, field
from typing import Protocol

from storage.checkpoints import Checkpoint
from tuner.checkpoint_files import CheckpointFiles
from tuner.errors import CheckpointDamagedError, CheckpointError
from tuner.events import Assignment
from tuner.training.checkpoint import check_readable, pack, unpack
from tuner.training.trainer import Trainer


class Keeper(Protocol):
    """Keeps checkpoints, near or far. Both methods raise CheckpointError."""

    def write(self, trial: int, attempt: int, epoch: int, content: bytes) -> Checkpoint:
        """Write one, whole or not at all."""
        ...

    def read(self, checkpoint: Checkpoint) -> bytes:
        """The content, as it was written."""
        ...


@dataclass(slots=True)
class Saving:
    """The checkpoints of one attempt.

    Args:
        keeper: keeps them; None where none are made any more.
        every: save after epochs that are multiples of it, and after the last.
    """

    keeper: Keeper | None
    every: int
    notes: list[str] = field(default_factory=list)
    damaged: list[Checkpoint] = field(default_factory=list)
    _checked: bool = False

    def restore(self, assignment: Assignment, trainer: Trainer) -> int:
        """Give the trainer its newest good state; returns the epoch after which it goes on, 0 from scratch."""
        read = (
            CheckpointFiles.read if self.keeper is None else self.keeper.read
        )  # kept before the study was told to keep none
        for checkpoint in assignment.checkpoints:
            try:
                content = read(checkpoint)
            except CheckpointError as error:
                self.notes.append(f"the checkpoint of epoch {checkpoint.epoch} {error}")
                self.damaged += [checkpoint] if isinstance(error, CheckpointDamagedError) else []
                continue
            epoch = unpack(content, trainer)
            if self.notes:
                self.notes.append(f"it goes on from epoch {epoch}")
            return epoch
        if assignment.checkpoints:
            self.notes.append("no good checkpoint is left: it goes on from scratch")
        return 0

    def save(self, assignment: Assignment, trainer: Trainer, epoch: int) -> Checkpoint | None:
        """Keep the state after an epoch, if it is due; None when it is not, or could not be written.

        Raises: TrainingError: the trainer's state could not be read back.
        """
        if self.keeper is None or (epoch % self.every and epoch != assignment.epochs):
            return None
        content = pack(trainer, epoch)
        if not self._checked:
            check_readable(content)
            self._checked = True
        try:
            return self.keeper.write(assignment.trial, assignment.attempt, epoch, content)
        except CheckpointError as error:
            self.notes.append(f"the checkpoint of epoch {epoch} {error}; the trial goes on without it")
            return None

    def take_notes(self) -> tuple[str, ...]:
        """What was told since the last call."""
        told, self.notes = tuple(self.notes), []
        return told

    def take_damaged(self) -> tuple[Checkpoint, ...]:
        """What nobody needs to look at again."""
        damaged, self.damaged = tuple(self.damaged), []
        return damaged
