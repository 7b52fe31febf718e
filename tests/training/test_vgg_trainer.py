import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tuner.training.data import ImageData, load_data
from tuner.training.vgg_trainer import VggTrainer, cosine_learning_rate

SMALL: dict[str, Any] = {
    "dataset": "digits", "epochs": 4, "depth": 8, "filters": 4, "train_images": 200, "batch_size": 33,
    "bn_position": "after_relu", "dropout": 0.1, "weight_decay": 1e-3,
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load_data(SMALL)


def train(data: ImageData, epochs: int, **changes: Any) -> tuple[VggTrainer, list[dict[str, float]]]:
    trainer = VggTrainer({**SMALL, **changes}, data, "cpu")
    return trainer, [trainer.train_epoch() for _ in range(epochs)]


def test_an_epoch_reports_accuracy_and_loss_of_both_splits_and_its_learning_rate(data: ImageData) -> None:
    _, (metrics,) = train(data, 1)
    assert set(metrics) == {"train_accuracy", "train_loss", "validation_accuracy", "validation_loss", "learning_rate"}
    assert all(0 <= metrics[f"{split}_accuracy"] <= 1 for split in ("train", "validation"))


def test_a_trainer_that_goes_on_from_its_state_equals_one_that_never_stopped(data: ImageData, tmp_path: Path) -> None:
    whole, curve = train(data, 4)
    first, begun = train(data, 2)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = VggTrainer(SMALL, data, "cpu")
    torch.manual_seed(999)  # whatever ran in between
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    gone_on = [second.train_epoch(), second.train_epoch()]
    assert begun + gone_on == curve
    assert second.gradient_flow() == whole.gradient_flow()
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(data: ImageData) -> None:
    assert train(data, 2)[1] == train(data, 2)[1]
    assert train(data, 2)[1] != train(data, 2, seed=1)[1]


def test_the_learning_rate_falls_along_a_cosine() -> None:
    assert cosine_learning_rate(1, 100, 1e-3, 2e-5) == 1e-3
    assert cosine_learning_rate(51, 100, 1e-3, 2e-5) == pytest.approx((1e-3 + 2e-5) / 2)
    assert cosine_learning_rate(101, 100, 1e-3, 2e-5) == pytest.approx(2e-5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        torch.optim.Adam([torch.zeros(1)], lr=1e-3), 100, eta_min=2e-5
    )
    for epoch in range(1, 100):
        assert cosine_learning_rate(epoch, 100, 1e-3, 2e-5) == pytest.approx(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()


def test_gradient_flow_is_the_mean_absolute_gradient_of_each_layer(data: ImageData) -> None:
    one_step = {"batch_size": 200, "crop_padding": 0, "dropout": 0.0}
    still = VggTrainer({**SMALL, **one_step}, load_data({**SMALL, **one_step}), "cpu")
    images = torch.tensor(data.train.images_NHWC).float() / 255
    x_BCHW = ((images - data.mean[0]) / data.std[0]).permute(0, 3, 1, 2)
    functional.cross_entropy(still.model(x_BCHW), torch.tensor(data.train.labels_N)).backward()
    by_hand = [m.weight.grad.abs().mean().item() for m in still.model.modules()
               if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]  # fmt: skip
    still.model.zero_grad()
    fresh = VggTrainer({**SMALL, **one_step}, load_data({**SMALL, **one_step}), "cpu")
    fresh.train_epoch()
    flow = fresh.gradient_flow()
    assert list(flow) == ["entry", *(f"conv_{i}" for i in range(1, 7)), "linear"]
    np.testing.assert_allclose(list(flow.values()), by_hand, rtol=1e-4)


def test_vgg_38_without_batch_normalization_is_dead_at_chance() -> None:
    dead = {"dataset": "digits", "epochs": 3, "depth": 38, "filters": 8, "batch_size": 50, "bn_position": "none"}
    trainer = VggTrainer(dead, load_data(dead), "cpu")
    last = [trainer.train_epoch() for _ in range(3)][-1]
    assert last["train_loss"] == pytest.approx(math.log(10), abs=0.05)
    assert trainer.gradient_flow()["conv_1"] < 1e-9


def test_vgg_08_learns_the_digits_along_its_golden_curve() -> None:
    golden = np.loadtxt(Path(__file__).parent / "golden_vgg_08_digits.txt")
    settings = {
        "dataset": "digits",
        "epochs": 5,
        "depth": 8,
        "filters": 8,
        "batch_size": 20,
        "bn_position": "before_relu",
    }
    trainer = VggTrainer(settings, load_data(settings), "cpu")
    losses = [trainer.train_epoch()["train_loss"] for _ in range(5)]
    np.testing.assert_allclose(losses, golden, rtol=0.05)  # other CPUs sum in another order


def test_a_last_batch_of_one_image_is_left_out(data: ImageData) -> None:
    _, (metrics,) = train(data, 1, batch_size=199)  # one image is left over; at 1x1 pixels it would have no variance
    assert math.isfinite(metrics["train_loss"])


def test_training_changes_nothing_in_the_shared_arrays(data: ImageData) -> None:
    before = data.checksum()
    train(data, 1)
    assert data.checksum() == before


def test_training_needs_neither_ray_nor_optuna_nor_a_database() -> None:
    script = f"""
import sys
for name in ("ray", "optuna", "sqlalchemy", "storage"):
    sys.modules[name] = None  # importing it fails from now on
from tuner.training.data import load_data
from tuner.training.vgg_trainer import VggTrainer
settings = {SMALL!r}
print(VggTrainer(settings, load_data(settings), "cpu").train_epoch()["train_loss"])
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(ended.stdout) > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU; the same path runs on the CPU above")
def test_a_gpu_trains_to_about_the_same_curve(data: ImageData) -> None:
    on_gpu = VggTrainer(SMALL, data, "cuda").train_epoch()
    on_cpu = VggTrainer(SMALL, data, "cpu").train_epoch()
    assert on_gpu["train_loss"] == pytest.approx(on_cpu["train_loss"], rel=0.1)
