"""A study as DESIGN.md section 5 says it, in plain lists: the simplest one that can be right, to compare the real one with.

Each rule of the design stands in one method. Nothing here knows a database, a clock or a sampler: which configuration is
proposed does not matter to it, and that a launch is dead is a fact it is told.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tuner.events import AttemptEnd, Idle, Outcome

Answer = tuple[Outcome, str | None]  # with the reason, where it is simple
WHO = "somebody on host"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a search space file says of decisions."""

    goal: str = "maximize"
    stopping: str = "asha"
    stops_when_not_finite: bool = True
    max_retries: int = 0
    keep: int = 1
    epochs: int = 4
    reduction_factor: int = 2
    rungs: tuple[int, ...] = (1, 2)


@dataclass(slots=True)
class ModelLaunch:
    """One run of the driver. `silent`: whoever looks at it takes it for dead."""

    concurrency: int
    budget: int
    outcome: str | None = None
    silent: bool = False
    told_to_stop: bool = False


@dataclass(slots=True)
class ModelAttempt:
    """`outcome` is None while the attempt is open."""

    launch: int
    epochs_before: int
    outcome: str | None = None


@dataclass(slots=True)
class ModelTrial:
    """`state`: queued, running, complete, pruned or failed; `checkpoints`: (epoch, attempt) -> where."""

    number: int
    state: str = "queued"
    attempts: list[ModelAttempt] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    checkpoints: dict[tuple[int, int], str] = field(default_factory=dict)
    stop_asked: bool = False
    epochs_at_death: int | None = None
    alone: bool = False

    @property
    def has_ended(self) -> bool:
        return self.state not in ("queued", "running")


class StudyModel:
    """All launches, trials and decisions of one study."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.launches: list[ModelLaunch] = []
        self.trials: list[ModelTrial] = []
        self.decisions: list[tuple[Any, ...]] = []
        self.discarded: list[str] = []

    # -- launches, and what people ask ----------------------------------------------------------------------------------

    def begin(self, concurrency: int, budget: int) -> None:
        self._take_over_the_dead()
        self.launches.append(ModelLaunch(concurrency, budget))

    def end(self, launch: int, outcome: str) -> None:
        self.reclaim(launch, (), "interrupted")
        self.launches[launch].outcome = outcome

    def reclaim(self, launch: int, held: Collection[tuple[int, int]], outcome: str = "answer_lost") -> None:
        for trial in self.held_by(launch):
            if (trial.number, len(trial.attempts)) not in held:
                trial.attempts[-1].outcome = outcome
                trial.state = "queued"

    def ask_to_stop(self, trial: int | None) -> None:
        """A study's stop binds the launches that there are; a trial's binds for ever."""
        if trial is not None:
            self.trials[trial].stop_asked = True
        for launch in self.launches if trial is None else ():
            launch.told_to_stop = True

    def _take_over_the_dead(self, but: int | None = None) -> None:
        for index, launch in enumerate(self.launches):
            if launch.outcome is None and launch.silent and index != but:
                self.reclaim(index, (), "launch_died")
                launch.outcome = "died"

    # -- the three events -----------------------------------------------------------------------------------------------

    def next_trial(self, asking: int) -> ModelTrial | Idle:
        launch = self.launches[asking]
        if launch.outcome is not None:  # it was taken for dead and only slept
            launch.outcome, launch.silent = None, False
        self._take_over_the_dead(but=asking)
        if len(self.held_by(asking)) >= launch.concurrency:
            return Idle.WAIT
        if launch.told_to_stop:
            return Idle.WAIT if self.held_by(asking) else Idle.FINISHED
        running = [t for t in self.trials if t.state == "running"]  # all launches are on one machine
        if any(t.alone for t in running):
            return Idle.WAIT
        trial = self._queued_or_new(launch)
        if trial is None or (trial.alone and running):
            return Idle.WAIT if running else Idle.FINISHED
        trial.attempts.append(ModelAttempt(asking, len(trial.values)))
        trial.state = "running"
        return trial

    def on_epoch(self, number: int, attempt: int, epoch: int, value: float | None, saved: str | None) -> Answer:
        """`value`: None when the trainer did not give it; `saved`: where the checkpoint is."""
        trial = self.trials[number]
        if not self._holds(trial, attempt):
            self._discard({saved} - {None} - self.locations())
            return self._what_became_of(trial, attempt)
        answer: Answer = (Outcome.GO_ON, "")
        if epoch > len(trial.values):  # else the first record stands
            answer = self._judge(trial, epoch, value)
        if saved is not None:
            self._keep(trial, epoch, attempt, saved)
        if answer[0] is Outcome.GO_ON:
            answer = self._asked_to_stop(trial, epoch) or answer
        return answer if answer[0] is Outcome.GO_ON else self._finish(trial, answer)

    def on_end(self, number: int, attempt: int, end: AttemptEnd) -> Outcome:
        trial = self.trials[number]
        if not self._holds(trial, attempt):
            return self._what_became_of(trial, attempt)[0]
        trial.attempts[-1].outcome = end.value
        if end is AttemptEnd.OUT_OF_MEMORY and trial.alone:
            value = trial.values[-1] if trial.values else math.nan
            self.decisions.append((trial.number, len(trial.values), end.value, "stop", value, None, None))
            self._end(trial, "pruned")
            return Outcome.PRUNED
        if self._may_try_again(trial, end):
            trial.state = "queued"
            return Outcome.SUSPENDED
        self._end(trial, "failed")
        return Outcome.FAILED

    # -- which trial ----------------------------------------------------------------------------------------------------

    def _queued_or_new(self, launch: ModelLaunch) -> ModelTrial | None:
        for trial in self.trials:
            if trial.state == "queued" and trial.stop_asked:
                self._cancel(trial, len(trial.values))
                self._end(trial, "pruned")
            elif trial.state == "queued":
                return trial
        if len(self.trials) >= launch.budget:
            return None
        self.trials.append(ModelTrial(len(self.trials)))
        return self.trials[-1]

    # -- go on or stop --------------------------------------------------------------------------------------------------

    def _judge(self, trial: ModelTrial, epoch: int, value: float | None) -> Answer:
        if value is None:
            return Outcome.FAILED, None
        trial.values.append(value)
        if not math.isfinite(value) and self.rules.stops_when_not_finite:
            self.decisions.append((trial.number, epoch, "not_finite", "stop", value, None, None))
            return Outcome.PRUNED, f"score is {value} after epoch {epoch}"
        if epoch == self.rules.epochs:
            return Outcome.COMPLETE, "all epochs done"
        if self.rules.stopping == "asha" and epoch in self.rules.rungs:
            return self._compare(trial, epoch, value)
        return Outcome.GO_ON, ""

    def _compare(self, trial: ModelTrial, rung: int, value: float) -> Answer:
        """ASHA: an upper percentile of what earlier trials had at the rung, taken where more is better."""
        sign = 1.0 if self.rules.goal == "maximize" else -1.0
        earlier = [sign * d[4] for d in self.decisions if d[5] == rung and not math.isnan(d[4])]
        cutoff = None
        if earlier and not math.isnan(value):
            share = 100 * (1 - 1 / self.rules.reduction_factor)
            method: Any = "linear" if all(map(math.isfinite, earlier)) else "lower"
            cutoff = sign * float(np.nanpercentile(earlier, share, method=method))
        stop = math.isnan(value) or (cutoff is not None and sign * value < sign * cutoff)
        verdict = "stop" if stop else "go on"
        self.decisions.append((trial.number, rung, self.rules.stopping, verdict, value, rung, cutoff))
        return (Outcome.PRUNED if stop else Outcome.GO_ON), None

    def _asked_to_stop(self, trial: ModelTrial, epoch: int) -> Answer | None:
        if trial.stop_asked:
            self._cancel(trial, epoch)
            return Outcome.PRUNED, f"stopped by {WHO}"
        if self.launches[trial.attempts[-1].launch].told_to_stop:
            return Outcome.SUSPENDED, f"the study was stopped by {WHO}; resume it to go on"
        return None

    def _cancel(self, trial: ModelTrial, epoch: int) -> None:
        value = trial.values[-1] if trial.values else math.nan
        self.decisions.append((trial.number, epoch, "request", "stop", value, None, None))

    def _may_try_again(self, trial: ModelTrial, end: AttemptEnd) -> bool:
        if end in _BROKE:
            return sum(a.outcome in [e.value for e in _BROKE] for a in trial.attempts) <= self.rules.max_retries
        if end is not AttemptEnd.WORKER_LOST:
            trial.alone = trial.alone or end is AttemptEnd.OUT_OF_MEMORY
            return True
        before, trial.epochs_at_death = trial.epochs_at_death, len(trial.values)
        return before != len(trial.values)

    # -- ends -----------------------------------------------------------------------------------------------------------

    def _finish(self, trial: ModelTrial, answer: Answer) -> Answer:
        if answer[0] is Outcome.COMPLETE and self.best(trial) is None:
            answer = Outcome.FAILED, "no epoch has a finite score"
        trial.attempts[-1].outcome = _ATTEMPT_OUTCOMES[answer[0]]
        if answer[0] is Outcome.SUSPENDED:
            trial.state = "queued"
        else:
            self._end(trial, answer[0].value)
        return answer

    def _end(self, trial: ModelTrial, state: str) -> None:
        """A finished trial keeps its best checkpoint while it is among the best of those that have one; others keep none."""
        trial.state = state
        best = self._best_checkpoint(trial) if state == "complete" else None
        self._drop(trial, set(trial.checkpoints) - {best})
        having = [t for t in self.trials if t.state == "complete" and t.checkpoints]
        for worse in sorted(having, key=lambda t: -self._rank(self.best(t)))[self.rules.keep :]:
            self._drop(worse, set(worse.checkpoints))

    def best(self, trial: ModelTrial) -> float | None:
        """The best finite value of its epochs."""
        return max(filter(math.isfinite, trial.values), key=self._rank, default=None)

    def _rank(self, value: float | None) -> float:
        assert value is not None
        return value if self.rules.goal == "maximize" else -value

    # -- checkpoints ----------------------------------------------------------------------------------------------------

    def _keep(self, trial: ModelTrial, epoch: int, attempt: int, location: str) -> None:
        """A running trial keeps those of its two newest epochs, of each the newest attempt's, and the best."""
        trial.checkpoints[epoch, attempt] = location
        if len(trial.checkpoints) <= 2:
            return
        newest = sorted({epoch for epoch, _ in trial.checkpoints})[-2:]
        kept = {max(key for key in trial.checkpoints if key[0] == epoch) for epoch in newest}
        latest = max(trial.checkpoints, key=lambda key: (key[1], key[0]))  # of the newest attempt
        self._drop(trial, set(trial.checkpoints) - kept - {latest, self._best_checkpoint(trial)})

    def _best_checkpoint(self, trial: ModelTrial) -> tuple[int, int] | None:
        """Of the best finite value; of equals the earliest epoch, and there the newest attempt."""
        recorded = {key: trial.values[key[0] - 1] for key in trial.checkpoints if key[0] <= len(trial.values)}
        judged = [key for key, value in recorded.items() if math.isfinite(value)]
        return max(judged, key=lambda key: (self._rank(recorded[key]), -key[0], key[1]), default=None)

    def _drop(self, trial: ModelTrial, gone: set[Any]) -> None:
        self._discard({trial.checkpoints.pop(key) for key in gone})

    def _discard(self, locations: set[Any]) -> None:
        self.discarded += sorted(locations)

    def locations(self) -> set[str]:
        """Where the checkpoints are that must still be there."""
        return {location for trial in self.trials for location in trial.checkpoints.values()}

    # -- who holds a trial ----------------------------------------------------------------------------------------------

    def held_by(self, launch: int) -> list[ModelTrial]:
        """The trials that a launch works on, by number."""
        return [t for t in self.trials if t.state == "running" and t.attempts[-1].launch == launch]

    @staticmethod
    def _holds(trial: ModelTrial, attempt: int) -> bool:
        return trial.state == "running" and len(trial.attempts) == attempt

    @staticmethod
    def _what_became_of(trial: ModelTrial, attempt: int) -> Answer:
        if len(trial.attempts) != attempt:
            return Outcome.REFUSED, "another attempt has taken this trial over"
        return (Outcome(trial.state) if trial.has_ended else Outcome.SUSPENDED), None


_BROKE = (AttemptEnd.RAISED, AttemptEnd.TIMED_OUT)
_ATTEMPT_OUTCOMES = {
    Outcome.COMPLETE: "finished",
    Outcome.PRUNED: "stopped",
    Outcome.FAILED: "failed",
    Outcome.SUSPENDED: "suspended",
}
