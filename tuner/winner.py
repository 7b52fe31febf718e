"""The best trial of a study to take along: as a search space file, and as trained weights."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from storage.reading import StudyReader, StudyView
from tuner.errors import CheckpointError, InputError
from tuner.reporting.summary import Ranked, rank
from tuner.resuming import space_of_trial
from tuner.search_space import SearchSpace
from tuner.yaml_writer import write_yaml

if TYPE_CHECKING:
    from tuner.training.trainer import Trainer

Say = Callable[[str], None]


def winner_yaml(study: StudyView, overrides: Iterable[str] = ()) -> str:
    """The winner as a search space file whose every entry is one value, ready for `tuner train`.

    Raises: InputError: no trial has a finite value, or an override that is not allowed.
    """
    winner, space = _winner(study, overrides)
    words = f"{space.metric.name} {winner.value:.6g} at epoch {winner.epoch}"
    return f"# trial {winner.trial.number} of study {study.name!r}: {words}\n{write_yaml(space.as_json())}"


def write_winner(reader: StudyReader, name: str, file: Path, overrides: Iterable[str], say: Say) -> None:
    """Write the winner's weights after its best epoch: those of its checkpoint, or, where none can be had, of training again.

    Args:
        name: the study's.
        overrides: `KEY=VALUE` for what does not make it another configuration, such as settings.data_dir.
        say: takes a line.
    Raises: InputError: the file is there already or cannot be made, no trial has a finite value, an override that is
        not allowed, or what `train_epochs` raises.
    """
    from tuner.training.weights import check_can_write, save_weights  # PyTorch, which `winner_yaml` does without

    check_can_write(file)
    winner, space = _winner(reader.study(name), overrides)
    trainer = _from_checkpoint(reader, winner, space)
    if isinstance(trainer, str):
        trainer = _trained_again(winner, space, trainer, say)
    else:
        value = f"{space.metric.name} {winner.value:.4f}"
        say(f"trial {winner.trial.number}: the checkpoint of its best epoch ({winner.epoch}), {value}")
    line = save_weights(trainer, file)
    say(f"written: {file}; this loads it:")
    say(line)


def _from_checkpoint(reader: StudyReader, winner: Ranked, space: SearchSpace) -> "Trainer | str":
    """The trainer as it was after the winner's best epoch, or why it cannot be had."""
    from tuner.checkpoint_files import CheckpointFiles
    from tuner.single import restored_trainer

    rules = space.checkpoint
    why = f"no checkpoint of that epoch is kept (checkpoint.every: {rules.every}, checkpoint.keep: {rules.keep})"
    for checkpoint in reader.checkpoints(space.study, winner.trial.number):
        if checkpoint.epoch == winner.epoch:
            try:
                return restored_trainer(space, space.fixed_configuration(), CheckpointFiles.read(checkpoint))
            except CheckpointError as error:
                why = f"the checkpoint of that epoch {error}"
    return why


def _trained_again(winner: Ranked, space: SearchSpace, why: str, say: Say) -> "Trainer":
    """The winner trained again up to its best epoch, with a word on whether it comes to the recorded value."""
    from tuner.single import train_epochs

    say(f"trial {winner.trial.number} is trained again with its seed, up to its best epoch ({winner.epoch}): {why}")
    trainer, curve = train_epochs(space, space.fixed_configuration(), winner.epoch, say)
    name, now = space.metric.name, curve[winner.epoch][space.metric.name]
    if now == winner.value:
        say(f"{name} at epoch {winner.epoch}: {now:.4f}, the same as recorded")
    else:
        say(
            f"{name} at epoch {winner.epoch} differs: recorded {winner.value!r}, now {now!r} (other versions or hardware, "
            "or changed data or code)"
        )
    return trainer


def _winner(study: StudyView, overrides: Iterable[str]) -> tuple[Ranked, SearchSpace]:
    """The best trial, and the study's search space with its values in place of every range."""
    ranked = rank(study)
    if not ranked:
        raise InputError(f"study {study.name!r} has no trial with a finite value yet; see tuner status {study.name}")
    return ranked[0], space_of_trial(study.space, ranked[0].trial, overrides)
