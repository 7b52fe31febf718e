"""Optuna's cache of trials for events: it looks for news once an event, not at every question of a sampler.

Optuna's own looks at each: eight statements and three passes over all trials, four times for one proposal of TPE, although an
event has locked the study and only its own trial can change meanwhile. What the event writes of that trial is noted here too.
"""

import copy
import json
from collections.abc import Container, Iterable, Sequence
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.distributions import BaseDistribution, check_distribution_compatibility, distribution_to_json
from optuna.storages._cached_storage import _CachedStorage, _StudyInfo
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection

from storage.frozen_trials import read_trials
from storage.tables import OPTUNA_PARAMETERS, OPTUNA_SYSTEM_ATTRIBUTES


class EventCache(_CachedStorage):
    """Answers as Optuna's own cache would. `begin_event` must be called at the start of each transaction."""

    def __init__(self, database: optuna.storages.RDBStorage, connection: Connection) -> None:
        super().__init__(database)
        self.begin_event(connection)

    def begin_event(self, connection: Connection) -> None:
        """What was read may have changed. `connection`: of the transaction."""
        self._connection = connection
        self._forget()

    def _forget(self) -> None:
        self._is_current = False
        self._begun: set[int] = set()  # ids of trials that this event has made and knows in full
        self._in_states: dict[tuple[TrialState, ...], list[int]] = {}  # numbers of trials, for states already asked for

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        if self._is_current:
            return
        study = self._studies.setdefault(study_id, _StudyInfo())
        news = read_trials(self._connection, study_id, study.last_finished_trial_id, study.unfinished_trial_ids)
        self._add_trials_to_cache(study_id, news)
        for trial in news:
            if trial.state.is_finished():
                study.last_finished_trial_id = max(study.last_finished_trial_id, trial._trial_id)
                study.unfinished_trial_ids.discard(trial._trial_id)
            else:
                study.unfinished_trial_ids.add(trial._trial_id)
        self._is_current = True

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """By their numbers: what the database held when the event first asked, and what the event has written since."""
        self._read_trials_from_remote_storage(study_id)
        wanted = tuple(state for state in TrialState if states is None or state in states)
        if wanted not in self._in_states:
            self._in_states[wanted] = self._numbers(study_id, wanted)
        found = list(map(self._studies[study_id].trials.__getitem__, self._in_states[wanted]))
        return copy.deepcopy(found) if deepcopy else found

    def _numbers(self, study_id: int, states: tuple[TrialState, ...]) -> list[int]:
        """Those that do not end a trial, as each ask looks for waiting ones, need no pass over all trials."""
        study = self._studies[study_id]
        numbers: Iterable[int] = study.trials
        if not any(state.is_finished() for state in states):
            unfinished = study.unfinished_trial_ids | self._begun
            numbers = (self._trial_id_to_study_id_and_number[trial_id][1] for trial_id in unfinished)
        if len(states) < len(TrialState):
            numbers = (number for number in numbers if study.trials[number].state in states)
        return sorted(numbers)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """One that this event has made need not be read."""
        if trial_id in self._begun:
            study_id, number = self._trial_id_to_study_id_and_number[trial_id]
            return copy.deepcopy(self._studies[study_id].trials[number])
        return super().get_trial(trial_id)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """The base notes the new trial as it is written."""
        trial_id: int = super().create_new_trial(study_id, template_trial)
        self._in_states.clear()
        if self._is_current:
            self._begun.add(trial_id)
        return trial_id

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """A parameter of the trial that is being proposed: of one that this event has made, nothing need be asked first."""
        study_id, _ = self._trial_id_to_study_id_and_number[trial_id]
        known = self._studies[study_id].param_distribution.get(param_name)
        if trial_id in self._begun and known is not None:
            check_distribution_compatibility(known, distribution)
            row = {"param_name": param_name, "param_value": param_value_internal}
            self._insert(OPTUNA_PARAMETERS, trial_id, row | {"distribution_json": distribution_to_json(distribution)})
        else:
            super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        value = distribution.to_external_repr(param_value_internal)
        self._note(trial_id, params={param_name: value}, distributions={param_name: distribution})

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """What a sampler notes of its trial."""
        if trial_id in self._begun and key not in self.get_trial(trial_id).system_attrs:
            self._insert(OPTUNA_SYSTEM_ATTRIBUTES, trial_id, {"key": key, "value_json": json.dumps(value)})
        else:
            super().set_trial_system_attr(trial_id, key, value)
        self._note(trial_id, system_attrs={key: _as_kept(value)})

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """What people note of a trial."""
        super().set_trial_user_attr(trial_id, key, value)
        self._note(trial_id, user_attrs={key: _as_kept(value)})

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Not asked about in the same event: it would be read again."""
        self._forget()
        return bool(super().set_trial_state_values(trial_id, state, values))

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """As for the state."""
        self._forget()
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)

    def _insert(self, table: sa.Table, trial_id: int, row: dict[str, Any]) -> None:
        self._connection.execute(sa.insert(table).values(trial_id=trial_id, **row))

    def _note(self, trial_id: int, **news: dict[str, Any]) -> None:
        """In a copy of the trial: whoever was given it before keeps it as it was."""
        if trial_id not in self._begun:
            self._forget()
            return
        study_id, number = self._trial_id_to_study_id_and_number[trial_id]
        changed = copy.copy(self._studies[study_id].trials[number])
        for name, entries in news.items():
            setattr(changed, name, {**getattr(changed, name), **entries})
        self._studies[study_id].trials[number] = changed


def _as_kept(value: Any) -> Any:
    """Optuna keeps attributes as JSON, which knows no tuples."""
    return json.loads(json.dumps(value))
