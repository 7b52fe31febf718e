"""A study's recorded search space: to go on with it without its file, or with the values of one of its trials."""

from collections.abc import Iterable, Mapping
from typing import Any

from storage.reading import StudyReader, TrialView
from tuner.errors import InputError
from tuner.preflight import differences
from tuner.search_space import SearchSpace, check_search_space
from tuner.yaml_source import source_of_values


def recorded_space(reader: StudyReader, study: str, overrides: Iterable[str] = ()) -> SearchSpace:
    """The search space that the newest launch of a study had, with overrides applied.

    Raises: StudyNotFoundError: there is none. InputError: an override that cannot be used.
    """
    content = reader.standing(study).space
    return check_search_space(source_of_values(content, f"study {study!r}").with_overrides(tuple(overrides)))


def space_of_trial(content: Mapping[str, Any], trial: TrialView, overrides: Iterable[str] = ()) -> SearchSpace:
    """A study's search space with one trial's values in place of every range.

    Args:
        content: the space as it is recorded.
        overrides: `KEY=VALUE` for what does not make it another configuration.
    Raises: InputError: an override that cannot be used, or that makes it another configuration.
    """
    name = f"trial {trial.number} of study {content['study']!r}"
    fixed = check_search_space(source_of_values(content, name)).fixed_to(trial.parameters)
    space = check_search_space(source_of_values(fixed, name).with_overrides(overrides))
    differing = differences(fixed, space.as_json())
    if differing:
        raise InputError(
            f"--set: {'; '.join(differing)}: that is another configuration than the recorded one; here --set may change "
            "settings.data_dir, resources, budget and concurrency"
        )
    return space
