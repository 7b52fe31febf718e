"""Optuna's cache of trials for events: it looks for news once an event, not at every question of a sampler.

Optuna's own looks at each: eight statements and a pass over all trials, four times for one proposal of TPE, although an event
has locked the study and only its own trial can change meanwhile. What the event writes of that trial is noted here as well.
"""

import copy
import json
from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import FrozenTrial, TrialState


class EventCache(_CachedStorage):
    """Answers as Optuna's own cache would. `begin_event` must be called at the start of each transaction."""

    def __init__(self, database: optuna.storages.RDBStorage) -> None:
        super().__init__(database)
        self.begin_event()

    def begin_event(self) -> None:
        """What was known may have changed."""
        self._trials: dict[int, FrozenTrial] | None = None  # by id, in the order of their numbers
        self._begun: set[int] = set()  # ids of trials that this event made

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Those of the database when the event first asked, and what it has written since."""
        if self._trials is None:
            self._trials = {trial._trial_id: trial for trial in super().get_all_trials(study_id, deepcopy=False)}
        found = [trial for trial in self._trials.values() if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """One that this event made need not be read."""
        if self._trials is not None and trial_id in self._begun:
            return copy.deepcopy(self._trials[trial_id])
        return super().get_trial(trial_id)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """The new trial is the last one."""
        trial_id: int = super().create_new_trial(study_id, template_trial)
        if self._trials is not None:
            _, number = self._trial_id_to_study_id_and_number[trial_id]
            self._trials[trial_id] = copy.deepcopy(self._studies[study_id].trials[number])
            self._begun.add(trial_id)
        return trial_id

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """A parameter of the trial that is being proposed."""
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        value = distribution.to_external_repr(param_value_internal)
        self._note(trial_id, params={param_name: value}, distributions={param_name: distribution})

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """What a sampler notes of its trial."""
        super().set_trial_system_attr(trial_id, key, value)
        self._note(trial_id, system_attrs={key: _as_kept(value)})

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """What people note of a trial."""
        super().set_trial_user_attr(trial_id, key, value)
        self._note(trial_id, user_attrs={key: _as_kept(value)})

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Told too seldom to be noted: it is read again."""
        self.begin_event()
        return bool(super().set_trial_state_values(trial_id, state, values))

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """As for the state."""
        self.begin_event()
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)

    def _note(self, trial_id: int, **news: dict[str, Any]) -> None:
        """Whoever was given the trial before keeps it as it was."""
        if self._trials is None or trial_id not in self._begun:
            self.begin_event()
            return
        changed = copy.copy(self._trials[trial_id])
        for name, entries in news.items():
            setattr(changed, name, {**getattr(changed, name), **entries})
        self._trials[trial_id] = changed


def _as_kept(value: Any) -> Any:
    """Optuna keeps attributes as JSON, which knows no tuples."""
    return json.loads(json.dumps(value))
