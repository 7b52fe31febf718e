"""Ray Tune schedules attempts over the workers of a machine; the study decides everything else.

Tune's hooks are adapters: `suggest` asks the study for the next attempt, `on_trial_result` hands it an epoch. A trial of
Tune is one attempt at a trial of the study. Tune's checkpoints, pauses, loggers and snapshots are not used.
"""

import logging
import math
import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

# read by Ray when it is imported
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # signals are the launch's
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", str(10**9))  # its snapshots are never read
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # a trainer's relative paths are those of the launch
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died or was killed while executing a task")  # said by us
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
if "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
    # left to itself, a local Ray writes a token into the home folder; ours lives and dies with this process
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuner.checkpoint_files import CheckpointFiles
from tuner.errors import InputError, TunerError
from tuner.events import Assignment, AttemptEnd, Decider, EpochReport, Idle
from tuner.execution.attempt import AttemptRunner, Broken, Job
from tuner.execution.footprint import Footprint, sweep
from tuner.execution.keeper import start_keeper
from tuner.execution.output import OutputCapture
from tuner.execution.saving import Keeper
from tuner.search_space import Resources
from tuner.training.own_module import OwnModule
from tuner.training.trainer import own_module

_ANSWER = "answer"
_ASK_AGAIN_SECONDS = 2.0
Answer = TypeVar("Answer")


class RayTuneExecutor:
    """Runs a study on a Ray of its own on this machine.

    Args:
        trainer: the trainer's name, as in a search space.
        data: what every attempt is given, or None; each node holds one copy in shared memory.
        resources: what one attempt is given.
        concurrency: how many attempts at once, or auto: as many as fit.
        files: where checkpoints go; None to keep none.
        checkpoint_every: save after epochs that are multiples of it, and after the last.
        say: takes a line about what dead launches left on this machine.
    After `start`, `cpus` and `gpus` are an attempt's share and `concurrency` is how many fit.
    """

    def __init__(
        self,
        trainer: str,
        data: Any,
        resources: Resources,
        concurrency: int | str,
        files: CheckpointFiles | None = None,
        checkpoint_every: int = 1,
        say: Callable[[str], None] = print,
    ) -> None:
        self._files = files
        self._checkpoint_every = checkpoint_every
        self._trainer = trainer
        self._data = data
        self._resources = resources
        self._wanted_concurrency = concurrency
        self._say = say
        self._footprint = Footprint()
        self._folder = self._footprint.folder
        self.cpus = 1.0
        self.gpus = 0.0
        self.concurrency = 1
        self.clock: Callable[[], float] | None = None

    def start(self) -> None:
        """Start Ray and find out what fits.

        Raises: InputError: an attempt asks for more than this machine has.
        """
        _quiet()
        for line in sweep():
            self._say(line)
        self._footprint.begin()
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=False,
            _temp_dir=str(self._folder / "ray"),
        )
        have = ray.cluster_resources()
        have_cpus, have_gpus = have.get("CPU", 0.0), have.get("GPU", 0.0)
        self.cpus = 1.0 if self._resources.cpus == "auto" else float(self._resources.cpus)
        self.gpus = float(min(1.0, have_gpus)) if self._resources.gpus == "auto" else float(self._resources.gpus)
        fits = math.floor(have_cpus / self.cpus)
        if self.gpus:
            fits = min(fits, math.floor(have_gpus / self.gpus))
        if fits < 1:
            raise InputError(
                f"resources: a trial asks for {self.cpus:g} CPUs and {self.gpus:g} GPUs; this machine has "
                f"{have_cpus:g} and {have_gpus:g}; lower resources.cpus or resources.gpus"
            )
        self.concurrency = fits if self._wanted_concurrency == "auto" else min(fits, int(self._wanted_concurrency))

    def run(self, study: Decider) -> None:
        """Run until the study says finished.

        Raises: TunerError: Ray itself broke. Whatever the study's events raise goes through.
        """
        checksum = self._data.checksum() if hasattr(self._data, "checksum") else None
        attempts = _Attempts(
            study, lambda a: Job(a, self._trainer, self.cpus, self.gpus, self._checkpoint_every, checksum)
        )
        keeper = None if self._files is None else start_keeper(self._files.base)
        parcel = _Parcel(own_module(self._trainer), str(self._folder), ray.put(self._data), keeper)
        trainable = tune.with_resources(
            tune.with_parameters(_Worker, parcel=parcel), {"cpu": self.cpus, "gpu": self.gpus}
        )
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=_Ask(attempts),
                scheduler=_Report(attempts),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(self._folder / "tune"),
                verbose=0,
                progress_reporter=tune.CLIReporter(),  # silent; the one Tune takes in a notebook shows an empty box
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        try:
            tuner.fit()
        except tune.TuneError as error:
            if attempts.broke is not None:  # Tune keeps only its text
                raise attempts.broke from None
            raise TunerError(
                f"Ray Tune ended the run: {error}; the study can be gone on with: launch it again"
            ) from error
        if not attempts.finished:
            raise TunerError("Ray Tune ended the run before the study was finished; launch it again to go on")

    def stop(self) -> None:
        """End Ray, whatever else the launch has started, and remove what they wrote."""
        try:
            ray.shutdown()
        finally:
            self._footprint.end()


class _Attempts:
    """The study's attempts by Tune's trial ids; shared by the two hooks."""

    def __init__(self, study: Decider, make_job: Callable[[Assignment], Job]) -> None:
        self._study = study
        self._job = make_job
        self._running: dict[str, Assignment] = {}
        self._ask_at = 0.0
        self.finished = False
        self.broke: Exception | None = None  # what an event of the study raised

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its hooks for a restart that is never made, and a study holds connections and locks."""
        return {}

    def begin(self, tune_id: str) -> Job | None:
        """The next job, or None for now. A study that says wait is asked again after an event, or when seconds have passed:
        another launch of it may have died meanwhile, or somebody asked for a stop; but not at every turn of Tune's."""
        if time.monotonic() < self._ask_at:
            return None
        answer = self._ask(self._study.next_trial)
        if isinstance(answer, Idle):
            self._ask_at = time.monotonic() + _ASK_AGAIN_SECONDS
            self.finished = answer is Idle.FINISHED
            return None
        self._running[tune_id] = answer
        return self._job(answer)

    def stops_after(self, tune_id: str, answer: EpochReport | Broken) -> bool:
        """Hand the study what a worker said; whether the attempt ends."""
        assignment = self._running[tune_id]
        if isinstance(answer, Broken):
            self._ask(lambda: self._study.on_end(assignment, AttemptEnd.RAISED, answer.traceback, answer.output))
            return self._forget(tune_id)
        return self._ask(lambda: self._study.on_epoch(assignment, answer)).stops and self._forget(tune_id)

    def lost(self, tune_id: str, words: str) -> None:
        """Tune says that the attempt's worker is gone."""
        assignment = self._running.get(tune_id)
        if assignment is not None:
            self._ask(lambda: self._study.on_end(assignment, AttemptEnd.WORKER_LOST, words))
            self._forget(tune_id)

    def _ask(self, event: Callable[[], Answer]) -> Answer:
        try:
            return event()
        except Exception as error:
            self.broke = error
            raise

    def _forget(self, tune_id: str) -> bool:
        del self._running[tune_id]
        self._ask_at = 0.0
        return True


class _Ask(Searcher):  # type: ignore[misc]
    """Tune asks for the next trial: the study's next attempt."""

    def __init__(self, attempts: _Attempts) -> None:
        super().__init__()
        self._attempts = attempts

    def suggest(self, trial_id: str) -> Any:
        job = self._attempts.begin(trial_id)
        if job is not None:
            return {"job": job}
        return Searcher.FINISHED if self._attempts.finished else None

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Nothing: the study ended the attempt, or `_Report` heard of its worker's death."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the database remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the database remembers."""


class _Report(FIFOScheduler):  # type: ignore[misc]
    """Tune reports a result or a death: the study's event, and its decision back to Tune."""

    def __init__(self, attempts: _Attempts) -> None:
        super().__init__()
        self._attempts = attempts

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        stops = self._attempts.stops_after(trial.trial_id, result[_ANSWER])
        return str(TrialScheduler.STOP if stops else TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        self._attempts.lost(trial.trial_id, _last_words(trial))


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What a worker is given once. The data stay a reference: they may be of a class that only the module knows."""

    own_module: OwnModule | None
    folder: str  # the launch's temporary one, on the driver's machine
    data: Any
    keeper: Keeper | None


class _Worker(tune.Trainable):  # type: ignore[misc]
    """A worker process; it is kept between attempts, with all it has imported."""

    def setup(self, config: dict[str, Any], parcel: _Parcel | None = None) -> None:
        assert parcel is not None  # Tune wants a default
        self._output = OutputCapture()
        if parcel.own_module is not None:
            parcel.own_module.install(within=parcel.folder)
        self._data = ray.get(parcel.data)
        self._keeper = parcel.keeper
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._output.take()  # of the attempt before
        self._runner = AttemptRunner(new_config["job"], self._data, self._output.take, self._keeper)
        return True

    def step(self) -> dict[str, Any]:
        return {_ANSWER: self._runner.run_epoch()}


class _SaidByUs(logging.Filter):
    """Holds back what Ray says of a lost worker: the study's own line says it. All other errors of Ray are let through."""

    _BEGINNINGS = ("Trial task failed for trial", "Trials did not complete", "Could not fetch metrics for")

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(self._BEGINNINGS)


def _quiet() -> None:
    """Ray's advice on how to use Tune is not for our users; its errors are."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    for module in ("execution.tune_controller", "tune", "analysis.experiment_analysis"):
        logging.getLogger(f"ray.tune.{module}").addFilter(_SaidByUs())


def _last_words(trial: Any) -> str:
    """What Ray wrote about the death of a trial's worker."""
    file = Path(trial.error_file) if trial.error_file else None
    if file is None or not file.is_file():
        return "Ray lost the worker and gave no reason"
    return file.read_text().strip()
