"""The best trial of a study to take along: as a search space file, and as trained weights."""

from collections.abc import Callable, Iterable
from pathlib import Path

from storage.reading import StudyView
from tuner.errors import InputError
from tuner.preflight import differences
from tuner.reporting.summary import Ranked, rank
from tuner.search_space import SearchSpace, check_search_space
from tuner.yaml_source import source_of_values
from tuner.yaml_writer import write_yaml


def winner_yaml(study: StudyView, overrides: Iterable[str] = ()) -> str:
    """The winner as a search space file whose every entry is one value, ready for `tuner train`.

    Raises: InputError: as `write_winner`.
    """
    winner, space = _winner(study, overrides)
    words = f"{space.metric.name} {winner.value:.6g} at epoch {winner.epoch}"
    return f"# trial {winner.trial.number} of study {study.name!r}: {words}\n{write_yaml(space.as_json())}"


def write_winner(study: StudyView, file: Path, overrides: Iterable[str], say: Callable[[str], None]) -> None:
    """Train the winner again up to its best epoch, compare the value with the recorded one, and write the weights.

    Args:
        overrides: `KEY=VALUE` for what does not make it another configuration, such as settings.data_dir.
        say: takes a line.
    Raises: InputError: the file is there already or cannot be made, no trial has a finite value, an override that is
        not allowed, or what `train_epochs` raises.
    """
    from tuner.single import train_epochs  # PyTorch, which `winner_yaml` does without
    from tuner.training.weights import check_can_write, save_weights

    check_can_write(file)
    winner, space = _winner(study, overrides)
    say(
        f"trial {winner.trial.number} is trained again with its seed, up to its best epoch ({winner.epoch}): "
        "the database holds no weights"
    )
    trainer, curve = train_epochs(space, space.fixed_configuration(), winner.epoch, say)
    name, now = space.metric.name, curve[winner.epoch][space.metric.name]
    if now == winner.value:
        say(f"{name} at epoch {winner.epoch}: {now:.4f}, the same as recorded")
    else:
        say(
            f"{name} at epoch {winner.epoch} differs: recorded {winner.value!r}, now {now!r} (other versions or hardware, "
            "or changed data or code)"
        )
    line = save_weights(trainer, file)
    say(f"written: {file}; this loads it:")
    say(line)


def _winner(study: StudyView, overrides: Iterable[str]) -> tuple[Ranked, SearchSpace]:
    """The best trial, and the study's search space with its values in place of every range."""
    ranked = rank(study)
    if not ranked:
        raise InputError(f"study {study.name!r} has no trial with a finite value yet; see tuner status {study.name}")
    name = f"trial {ranked[0].trial.number} of study {study.name!r}"
    recorded = check_search_space(source_of_values(study.space, name))
    fixed = recorded.fixed_to(ranked[0].trial.parameters)
    space = check_search_space(source_of_values(fixed, name).with_overrides(overrides))
    differing = differences(fixed, space.as_json())
    if differing:
        raise InputError(
            f"--set: {'; '.join(differing)}: that is another configuration than the winner's; here --set may change "
            "settings.data_dir, resources, budget and concurrency"
        )
    return ranked[0], space
