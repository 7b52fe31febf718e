"""Ray Tune schedules attempts over the workers of a machine; the study decides everything else.

Tune's hooks are adapters: `suggest` asks the study for the next attempt, `on_trial_result` hands it an epoch. A trial of
Tune is one attempt at a trial of the study. Tune's checkpoints, pauses, loggers and snapshots are not used.
"""

import atexit
import logging
import math
import os
import secrets
import shutil
import sys
import tempfile
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
from tuner.errors import InputError, RayLostError, TunerError
from tuner.events import Assignment, Decider, EpochReport, Idle
from tuner.execution.attempt import AttemptRunner, Broken, Job
from tuner.execution.deaths import how_it_died
from tuner.execution.footprint import Footprint, sweep
from tuner.execution.hanging import HangLimit
from tuner.execution.keeper import start_keeper
from tuner.execution.last_words import AttemptFiles, read_last_words
from tuner.execution.output import OutputCapture
from tuner.execution.ray_repairs import dead_part, deaf_to_sigterm, hear_sigterm, shut_down, survive_out_of_memory
from tuner.execution.saving import Keeper
from tuner.execution.shared_data import checksum
from tuner.search_space import SearchSpace
from tuner.training.own_module import OwnModule
from tuner.training.trainer import own_module

_ANSWER = "answer"
_ASK_AGAIN_SECONDS = 2.0
Answer = TypeVar("Answer")


class RayTuneExecutor:
    """Runs a study on a Ray of its own on this machine.

    Args:
        space: says which trainer, what an attempt is given, how many at once, how often to save, how long an epoch may take.
        data: what every attempt is given, or None; each node holds one copy in shared memory.
        files: where checkpoints go; None to keep none.
        say: takes a line about what dead launches left on this machine.
    After `start`, `cpus` and `gpus` are an attempt's share and `concurrency` is how many fit.
    """

    def __init__(
        self,
        space: SearchSpace,
        data: Any,
        files: CheckpointFiles | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self._space = space
        self._data = data
        self._files = files
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
        with deaf_to_sigterm():
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
        wanted = self._space.resources
        self.cpus = 1.0 if wanted.cpus == "auto" else float(wanted.cpus)
        self.gpus = float(min(1.0, have_gpus)) if wanted.gpus == "auto" else float(wanted.gpus)
        fits = math.floor(have_cpus / self.cpus)
        if self.gpus:
            fits = min(fits, math.floor(have_gpus / self.gpus))
        if fits < 1:
            raise InputError(
                f"resources: a trial asks for {self.cpus:g} CPUs and {self.gpus:g} GPUs; this machine has "
                f"{have_cpus:g} and {have_gpus:g}; lower resources.cpus or resources.gpus"
            )
        at_once = self._space.concurrency
        self.concurrency = fits if at_once == "auto" else min(fits, at_once)

    def run(self, study: Decider) -> None:
        """Run until the study says finished.

        Raises: TunerError: Ray itself broke. Whatever the study's events raise goes through.
        """
        survive_out_of_memory()
        data = ray.put(self._data)
        attempts = _Attempts(study, self._job_maker(checksum(ray.get(data))), str(self._folder))
        keeper = None if self._files is None else start_keeper(self._files.base)
        parcel = _Parcel(own_module(self._space.trainer), str(self._folder), data, keeper)
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
        except _HoursAreSpent:
            return
        except tune.TuneError as error:
            if attempts.broke is not None:  # Tune keeps only its text
                raise attempts.broke from None
            raise TunerError(
                f"Ray Tune ended the run: {error}; the study can be gone on with: launch it again"
            ) from error
        if not attempts.finished:
            raise TunerError("Ray Tune ended the run before the study was finished; launch it again to go on")

    def _job_maker(self, checksum_of_data: int | None) -> Callable[[Assignment], Job]:
        every, timeout = self._space.checkpoint.every, self._space.trial_timeout_seconds
        saves_after = 1 if every == "never" else every
        return lambda assignment: Job(
            assignment, self._space.trainer, self.cpus, self.gpus, saves_after, checksum_of_data, timeout
        )

    def stop(self) -> None:
        """End Ray, whatever else the launch has started, and remove what they wrote."""
        try:
            shut_down()
        finally:
            self._footprint.end()


class _HoursAreSpent(BaseException):
    """Ends Tune's run with all that it runs; on a plain exception Tune would wait ten seconds for running epochs first."""


class _Attempts:
    """The study's attempts by Tune's trial ids; shared by the two hooks."""

    def __init__(self, study: Decider, make_job: Callable[[Assignment], Job], folder: str) -> None:
        self._study = study
        self._job = make_job
        self._folder = folder
        self._running: dict[str, Job] = {}
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
            self.finished = answer is not Idle.WAIT
            if answer is Idle.SPENT:
                raise _HoursAreSpent
            return None
        job = self._running[tune_id] = self._job(answer)
        return job

    def stops_after(self, tune_id: str, answer: EpochReport | Broken) -> bool:
        """Hand the study what a worker said; whether the attempt ends."""
        assignment = self._running[tune_id].assignment
        if isinstance(answer, Broken):
            self._ask(lambda: self._study.on_end(assignment, answer.end, answer.traceback, answer.output))
            return self._forget(tune_id)
        return self._ask(lambda: self._study.on_epoch(assignment, answer)).stops and self._forget(tune_id)

    def lost(self, tune_id: str, words: str) -> None:
        """Tune says that the attempt's worker is gone."""
        job = self._running.get(tune_id)
        if job is not None:
            left = read_last_words(self._folder, job.assignment)
            end, told = how_it_died(words, left, job.timeout_seconds)
            self._ask(lambda: self._study.on_end(job.assignment, end, told, left.output))
            self._forget(tune_id)

    def check_ray(self) -> None:
        """Raises: RayLostError: no trial will ever end again."""
        dead = dead_part()
        if dead is not None:
            self.broke = RayLostError(
                f"Ray's {dead} on this machine died, and nothing can run any more; the study can be gone on with: launch it again"
            )
            raise self.broke

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

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Asked at every turn of Tune's, also when nothing runs any more."""
        self._attempts.check_ray()
        return super().choose_trial_to_run(tune_controller)

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
        hear_sigterm()
        self._folder = parcel.folder if os.path.isdir(parcel.folder) else _temporary_folder()
        self._output = OutputCapture(Path(self._folder, f"worker-{os.getpid()}.output"))
        if parcel.own_module is not None:
            parcel.own_module.install(within=parcel.folder)
        self._data = ray.get(parcel.data)
        self._keeper = parcel.keeper
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        job: Job = new_config["job"]
        files = AttemptFiles.of(self._folder, job.assignment)
        self._output.belongs_to(files.output)
        limit = None if job.timeout_seconds is None else HangLimit(job.timeout_seconds, files.hang)
        self._runner = AttemptRunner(job, self._data, self._output.take, self._keeper, limit)
        return True

    def step(self) -> dict[str, Any]:
        return {_ANSWER: self._runner.run_epoch()}


def _temporary_folder() -> str:
    """For a worker on another machine than the driver's."""
    folder = tempfile.mkdtemp(prefix="tuner-worker-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


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
