"""Trainers that train nothing: their curves are functions of the configuration, so tests know what must come out."""

import math
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def curve(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    """A score that rises with every epoch and is best at x = 0.3."""
    score = 1 - (configuration["x"] - 0.3) ** 2 - 1 / (epoch + 1)
    return {"score": score, "loss": 1 - score}


class Curve:
    """The curve above, at no cost."""

    def __init__(self, configuration: Mapping[str, Any], data: Any, device: str) -> None:
        self.configuration = configuration
        self.epoch = 0

    def train_epoch(self) -> dict[str, float]:
        self.epoch += 1
        time.sleep(self.configuration.get("sleep", 0.0))
        return curve(self.configuration, self.epoch)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]


class Diary(Curve):
    """Writes down every epoch that it begins, in a file of the launch's folder."""

    def train_epoch(self) -> dict[str, float]:
        with open(self.configuration["diary"], "a") as file:
            file.write(f"{self.configuration['x']} {self.epoch + 1}\n")
        return super().train_epoch()


class Forgetful(Diary):
    """Leaves a process behind, an orphan in a session of its own, out of reach of signals to groups."""

    def __init__(self, configuration: Mapping[str, Any], data: Any, device: str) -> None:
        super().__init__(configuration, data, device)
        subprocess.run(["sh", "-c", "sleep 600 &"], start_new_session=True, check=True)


class Shared(Curve):
    """Says whether its data lie in memory that all workers of the node share, and whether it could write there."""

    @staticmethod
    def load_data(configuration: Mapping[str, Any]) -> Any:
        return {"images": np.arange(1_000_000)}

    def __init__(self, configuration: Mapping[str, Any], data: Any, device: str) -> None:
        super().__init__(configuration, data, device)
        self.images = data["images"]

    def train_epoch(self) -> dict[str, float]:
        address = self.images.ctypes.data
        lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
        (mapping,) = [line for line in lines if _holds(line[0], address)]
        shared = "s" in mapping[1] and any("plasma" in word for word in mapping[5:])
        return {
            **super().train_epoch(),
            "shared": shared,
            "writable": self.images.flags.writeable,
            "sum": self.images.sum(),
        }


def _holds(addresses: str, address: int) -> bool:
    begin, end = (int(number, 16) for number in addresses.split("-"))
    return begin <= address < end


class Trouble(Curve):
    """`trouble`: raise, nan, no_metric, memory, hang, or die (kill -9 of its own worker, once), all in the second epoch."""

    def train_epoch(self) -> dict[str, float]:
        metrics = super().train_epoch()
        trouble = self.configuration["trouble"]
        print(f"epoch {self.epoch}, trouble {trouble}")
        os.write(2, b"from below Python\n")
        if trouble == "raise" and self.epoch == 2:
            raise ValueError("a bug in the training code")
        if trouble == "nan" and self.epoch == 2:
            return {**metrics, "loss": math.nan}
        if trouble == "no_metric":
            return {"loss": metrics["loss"]}
        if trouble == "memory" and self.epoch == 2:
            np.zeros(1 << 60, np.uint8)
        if trouble == "hang" and self.epoch == 2:
            wait_for_ever()
        if trouble == "die" and self.epoch == 2:
            marker = Path(self.configuration["marker"])
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return metrics


class Hungry(Curve):
    """Takes more memory in its second epoch, where its configuration says so, and holds it for a while."""

    def train_epoch(self) -> dict[str, float]:
        if self.epoch == 1 and self.configuration["megabytes"]:
            held = np.ones(self.configuration["megabytes"] << 20, np.uint8)
            time.sleep(20)
            del held
        return super().train_epoch()


def wait_for_ever() -> None:
    time.sleep(10**6)


class EveryFour(Curve):
    """Has figures every four epochs."""

    report_every = 4

    def train_epoch(self) -> dict[str, float] | None:  # type: ignore[override]
        metrics = super().train_epoch()
        print(f"epoch {self.epoch}")
        return None if self.epoch % 4 and self.epoch < self.configuration["epochs"] else metrics
