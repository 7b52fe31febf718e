"""One thread, as a trial of one CPU has: two on a busy core run at a tenth of its speed. And no test downloads anything."""

import pytest
import torch

from tuner.training.process import prepare_process

assert torch, "loaded: it is set too"
prepare_process(cpus=1)


@pytest.fixture(autouse=True)
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_CIFAR100_URL", "http://127.0.0.1:9/")
