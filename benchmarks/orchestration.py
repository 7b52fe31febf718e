"""How many trials a second does a launch get through, beside Ray's own OptunaSearch + ASHAScheduler + RDBStorage?

A trainer that only counts, 240 trials of at most 9 epochs, ASHA with rungs 1 and 3, two workers, SQLite in a temporary
folder, TPE. The rate is counted from the first result to the last, so starting Ray is in neither. Both in one run, one after
the other, each in a process of its own: Ray reads its settings at import. Seeds: sampler 0 in both.

Command: make orchestration          (python -m benchmarks.orchestration [--trials N] [--function-trainable])
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
EPOCHS, WORKERS = 9, 2


class Clock:
    """Times of the first and the last result, and seconds spent inside each named part."""

    def __init__(self) -> None:
        self.first = 0.0
        self.last = 0.0
        self.spent: dict[str, float] = {}

    def result(self) -> None:
        """A result has come."""
        self.last = time.perf_counter()
        self.first = self.first or self.last

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its time added to a part's."""

        def run(*arguments: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - begin

        return run

    def print_rate(self, name: str, num_trials: int) -> None:
        """The line that the comparing process reads."""
        print(f"rate {name} {num_trials / (self.last - self.first)}", flush=True)


def ours(num_trials: int) -> None:
    """The product, from its own launch."""
    import tuner.sampling
    from tuner.execution.ray_tune import RayTuneExecutor
    from tuner.launching import launch
    from tuner.search_space import check_search_space
    from tuner.yaml_source import parse_yaml

    clock = Clock()
    space = check_search_space(parse_yaml(f"""
study: counting
metric: {{name: score, goal: maximize}}
trainer: benchmarks.counting:Counting
settings: {{epochs: {EPOCHS}}}
space: {{x: {{low: 0.0, high: 1.0}}, y: {{low: 1e-5, high: 1.0, scale: log}}}}
early_stopping: {{min_epochs: 1, reduction_factor: 3}}
budget: {{trials: {num_trials}}}
""", "orchestration"))  # fmt: skip

    class Timed:
        """The study with a clock on each event."""

        def __init__(self, study: Any) -> None:
            self.next_trial = clock.timed("next_trial", study.next_trial)
            self._on_epoch = clock.timed("on_epoch", study.on_epoch)
            self.on_end = study.on_end

        def on_epoch(self, *arguments: Any) -> Any:
            answer = self._on_epoch(*arguments)
            clock.result()
            return answer

    class Executor(RayTuneExecutor):
        def run(self, study: Any) -> None:
            super().run(Timed(study))

    tuner.sampling.propose = clock.timed("sampler", tuner.sampling.propose)
    with tempfile.TemporaryDirectory() as folder:
        launch(space, f"sqlite:///{folder}/study.db", say=lambda line: None,
               make_executor=lambda space, data, *_: Executor(space.trainer, data, space.resources, WORKERS))  # fmt: skip
    clock.print_rate("ours", num_trials)
    total = clock.last - clock.first
    sampler = clock.spent["sampler"]
    database = clock.spent["next_trial"] + clock.spent["on_epoch"] - sampler
    for name, seconds in (("sampler", sampler), ("database", database), ("ray", total - sampler - database)):
        print(f"part {name} {seconds / total * 100:.1f}", flush=True)


def stock(kind: str, num_trials: int) -> None:
    """What Ray's documentation builds."""
    import optuna
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    from benchmarks.counting import score

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    clock = Clock()

    class Counter(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None:
            self.config, self.epoch = config, 0

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def step(self) -> dict[str, Any]:
            self.epoch += 1
            return {"score": score(self.config["x"], self.epoch), "done": self.epoch >= EPOCHS}

        def save_checkpoint(self, folder: str) -> None:
            Path(folder, "epoch").write_text(str(self.epoch))

    def count(config: dict[str, Any]) -> None:
        for epoch in range(1, EPOCHS + 1):
            tune.report({"score": score(config["x"], epoch)})

    class Heard(tune.Callback):  # type: ignore[misc]
        def on_trial_result(self, *_: Any, **__: Any) -> None:
            clock.result()

    ray.init(num_cpus=WORKERS, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    with tempfile.TemporaryDirectory() as folder:
        search = OptunaSearch(
            {"x": optuna.distributions.FloatDistribution(0, 1), "y": optuna.distributions.FloatDistribution(1e-5, 1, log=True)},
            metric="score", mode="max", study_name="counting", sampler=optuna.samplers.TPESampler(seed=0),
            storage=optuna.storages.RDBStorage(f"sqlite:///{folder}/study.db"),
        )  # fmt: skip
        tune.Tuner(
            Counter if kind == "class" else count,
            tune_config=tune.TuneConfig(
                search_alg=search, num_samples=num_trials, max_concurrent_trials=WORKERS, reuse_actors=kind == "class",
                scheduler=ASHAScheduler(metric="score", mode="max", max_t=EPOCHS, grace_period=1, reduction_factor=3)),
            run_config=tune.RunConfig(verbose=0, storage_path=folder, callbacks=[Heard()]),
        ).fit()  # fmt: skip
    clock.print_rate(f"stock_{kind}", num_trials)
    ray.shutdown()


def compare(num_trials: int, with_function: bool) -> None:
    """Each in its own process, then the ratios."""
    variants = ["ours", "class"] + (["function"] if with_function else [])
    rates, parts = {}, {}
    for variant in variants:
        print(f"running {variant}: {num_trials} trials, at most {EPOCHS} epochs, {WORKERS} workers …", flush=True)
        command = [sys.executable, "-m", "benchmarks.orchestration", "--variant", variant, "--trials", str(num_trials)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled", "RAY_AIR_NEW_OUTPUT": "0"}
        ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        if ended.returncode != 0:
            raise SystemExit(ended.stderr)
        for line in ended.stdout.splitlines():
            match line.split():
                case ["rate", name, number]:
                    rates[name] = float(number)
                case ["part", name, number]:
                    parts[name] = float(number)
    for name, rate in rates.items():
        print(f"{name:15s} {rate:6.1f} trials/s")
    print("our time: " + ", ".join(f"{name} {share:.0f} %" for name, share in parts.items()))
    for name, share in parts.items():
        print(f"result: share_{name} {share:.1f} %")
    for name in rates:
        if name != "ours":
            print(f"result: ours_over_{name} {rates['ours'] / rates[name]:.2f} x")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=240)
    parser.add_argument(
        "--function-trainable", action="store_true", help="also the function trainable, one trial a second"
    )
    parser.add_argument("--variant", choices=["ours", "class", "function"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.variant is None:
        compare(given.trials, given.function_trainable)
    elif given.variant == "ours":
        ours(given.trials)
    else:
        stock(given.variant, given.trials)


if __name__ == "__main__":
    main()
