"""A recorded trial trained again in this process, without Ray, and compared with its record figure for figure.

It is trained by what trains on a worker (`tuner.execution.attempt`), with the configuration, the seeds and the CPUs of then.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from storage.reading import StudyReader
from storage.recorded_trial import Figures, RecordedAttempt, RecordedTrial, read_recorded_trial
from storage.standing import error_line
from tuner.comparison import Again, Record, counted, differing, verdict
from tuner.errors import InputError
from tuner.events import EPOCH_SECONDS, Assignment, no_metric
from tuner.execution.attempt import AttemptRunner, Broken, Job
from tuner.execution.shared_data import checksum
from tuner.resuming import space_of_trial
from tuner.search_space import SearchSpace
from tuner.trainer_check import check_values, fingerprint, load_shared_data
from tuner.training.trainer import metrics_of
from tuner.versions import version_differences, versions_of

_MAY_BE_SET = "settings.data_dir"


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What may be another one now, each as a phrase, and where it is trained."""

    differences: tuple[str, ...]
    device: str
    cpus: float
    gpus: float


def reproduce(
    reader: StudyReader, study: str, number: int, overrides: Iterable[str], say: Callable[[str], None]
) -> bool:
    """Train a trial again for as many epochs as are recorded, a line each, and say whether it is the same.

    Args:
        overrides: `settings.data_dir=FOLDER`, where the data lie elsewhere now.
        say: takes a line.
    Returns: whether every recorded figure came out again to the last digit, and the exception with which its training
        failed, if it did.
    Raises: StudyNotFoundError, TrialNotFoundError. InputError: nothing is recorded of it, another override, no data, or a
        trainer that is not found.
    """
    overrides = tuple(overrides)
    _refuse_others(overrides)
    trial = read_recorded_trial(reader, study, number)
    record = _record(trial)
    if trial.view.repeat_of is not None:
        raise InputError(
            f"trial {number} of study {study!r} was not trained: it has the result of trial {trial.view.repeat_of}, which has the "
            f"same configuration; write tuner reproduce {study} {trial.view.repeat_of}"
        )
    if not record.figures and record.ending is None:
        raise InputError(
            f"trial {number} of study {study!r} has no recorded epoch, so there is nothing to compare with; tuner logs "
            f"{study} {number} says what became of it"
        )
    space = space_of_trial(trial.space, trial.view, overrides)
    check_values(space)
    data = load_shared_data(space, space.settings)
    here = _surroundings(trial, versions_of(space.trainer), fingerprint(data))
    for line in _announced(trial, record, here):
        say(line)
    assignment = Assignment(number, 1, space.fixed_configuration(), space.epochs)
    job = Job(assignment, space.trainer, here.cpus, here.gpus, checksum=checksum(data))
    again = _train_again(AttemptRunner(job, data), record, space.metric.name, say)
    same, words = verdict(record, again)
    if not same and again.traceback:
        print(again.traceback, file=sys.stderr)
    say(f"the same: {words}" if same else f"differs: {words}; {_why(space, here)}")
    return same


def _refuse_others(overrides: Iterable[str]) -> None:
    keys = (assignment.partition("=")[0] for assignment in overrides)
    other = next((key for key in keys if key != _MAY_BE_SET), None)
    if other is not None:
        raise InputError(f"--set: {other}: a trial is trained as it is recorded; here only {_MAY_BE_SET} may be set")


def _record(trial: RecordedTrial) -> Record:
    metric = trial.space["metric"]["name"]
    figures = {
        epoch: _together(figures, trial.gradient_flow.get(epoch, {}), metric)
        for epoch, figures in trial.figures.items()
    }
    unfinished = max(figures, default=0) < trial.space["settings"]["epochs"]
    raised = [a for a in trial.attempts[-1:] if a.outcome == "failed"]  # else its worker died
    failed = trial.view.state == "failed" and unfinished and raised
    return Record(figures, error_line(raised[0].traceback) if failed else None)


def _together(metrics: Mapping[str, float], flow: Mapping[str, float], metric: str) -> dict[str, float]:
    """All figures of an epoch, the study's metric first; without the wall time, which is never the same."""
    names = sorted(metrics.keys() - {EPOCH_SECONDS}, key=lambda name: (name != metric, name))
    layers = {f"gradient flow of {layer}": value for layer, value in flow.items()}
    return {**{name: metrics[name] for name in names}, **layers}


def _surroundings(trial: RecordedTrial, versions: Mapping[str, str], fingerprint: str | None) -> _Surroundings:
    """As those of the attempt that recorded the first epoch, as far as this machine has it."""
    first = next((a for a in trial.attempts if a.device is not None), trial.attempts[-1])
    gpus = _gpus_here(first.gpus)
    device = _device(gpus)
    attempts_by_phrase: dict[str, list[int]] = {}
    for attempt in trial.attempts:
        for phrase in (*version_differences(attempt.versions, versions), *_machine(attempt, device, first.cpus)):
            attempts_by_phrase.setdefault(phrase, []).append(attempt.attempt)
    found = [
        phrase if len(numbers) == len(trial.attempts) else f"{phrase} (attempt {', '.join(map(str, numbers))})"
        for phrase, numbers in attempts_by_phrase.items()
    ]
    if trial.data_fingerprint != fingerprint:
        found.insert(0, "the data have changed since")
    return _Surroundings(tuple(found), device, first.cpus, gpus)


def _machine(attempt: RecordedAttempt, device: str, cpus: float) -> list[str]:
    found = []
    if attempt.device not in (None, device):
        found.append(f"{attempt.device} then, {device} now")
    if attempt.cpus != cpus:
        found.append(f"{counted(attempt.cpus, 'CPU')} then, {cpus:g} now")
    return found


def _gpus_here(gpus: float) -> float:
    """The trial's share of a GPU, 0 where there is none. A trial without one asks nothing: that would import PyTorch, which
    sets how denormal numbers count, into a process that may train without it."""
    if not gpus:
        return 0.0
    from tuner.training.device import num_gpus

    return gpus if num_gpus() else 0.0


def _device(gpus: float) -> str:
    if not gpus:
        return "cpu"
    from tuner.training.device import device_name

    return device_name("cuda")


def _announced(trial: RecordedTrial, record: Record, here: _Surroundings) -> Iterable[str]:
    name = f"trial {trial.view.number} of study {trial.space['study']!r}"
    steps = [counted(len(record.figures), "epoch")] if record.figures else []
    steps += [f"the one that ended with {record.ending}"] if record.ending is not None else []
    yield f"{name} is trained again on {here.device} with {counted(here.cpus, 'CPU')}: {', then '.join(steps)}"
    yield from (f"known difference: {phrase}" for phrase in here.differences)
    if not here.differences:
        yield "no difference is known in versions, code, data and machine"


def _train_again(runner: AttemptRunner, record: Record, metric: str, say: Callable[[str], None]) -> Again:
    """All recorded epochs; of a trial that ended with an exception also the one that has no record."""
    figures: dict[int, dict[str, float]] = {}
    reached = 0
    while reached < record.last or record.ending is not None:
        report = runner.run_epoch()
        if isinstance(report, Broken):
            return Again(figures, runner.epoch, report.traceback)
        if metric not in report.metrics:
            return Again(figures, report.epoch, no_metric(metric, report))
        if reached >= record.last:
            break
        reached = report.epoch
        figures[reached] = _together(report.metrics, report.gradient_flow, metric)
        value = report.metrics[metric]
        say(f"epoch {reached:3d}/{record.last}  {metric} {value:.4g}  {_beside(record, figures, reached)}")
    return Again(figures, runner.epoch)


def _beside(record: Record, figures: Figures, epoch: int) -> str:
    then = record.figures.get(epoch)
    if then is None:
        return "not recorded"
    differences = differing({epoch: then}, figures)
    return f"{len(differences)} of {len(then)} figures differ" if differences else "the same"


def _why(space: SearchSpace, here: _Surroundings) -> str:
    if here.differences:
        return f"known differences: {'; '.join(here.differences)}"
    own = metrics_of(space.trainer) is None
    unseeded = "; does the trainer draw random numbers without a seed?" if own else ""
    order = "" if here.device == "cpu" else "; a GPU may add numbers in another order each time"
    return f"no difference is known in versions, code, data and machine{unseeded}{order}"
