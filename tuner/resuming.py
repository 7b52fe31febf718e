"""A study's recorded search space, to go on with it without its file."""

from collections.abc import Iterable

from storage.reading import StudyReader
from tuner.search_space import SearchSpace, check_search_space
from tuner.yaml_source import source_of_values


def recorded_space(reader: StudyReader, study: str, overrides: Iterable[str] = ()) -> SearchSpace:
    """The search space that the newest launch of a study had, with overrides applied.

    Raises: StudyNotFoundError: there is none. InputError: an override that cannot be used.
    """
    content = reader.standing(study).space
    return check_search_space(source_of_values(content, f"study {study!r}").with_overrides(tuple(overrides)))
