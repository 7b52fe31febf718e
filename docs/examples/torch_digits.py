"""A trainer of one's own with PyTorch: a small convolutional network on scikit-learn's handwritten digits.

Run it from this folder:

    tuner launch torch_digits.yaml

Shows all that a trainer may have: the four methods it must have, and three that are used when it has them:
`check_configuration`, `load_data` and `gradient_flow`.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from tuner.errors import SettingError

VALIDATION_IMAGES = 360


class CnnTrainer:
    """`configuration` holds the keys of `settings` and `space` of the YAML, `data` what `load_data` returned."""

    @staticmethod
    def check_configuration(configuration):
        """Called before anything starts, with the ends of every range: say which key cannot be used, and what can."""
        width = configuration["width"]
        if width % 4:
            raise SettingError("width", f"{width} cannot be used; it must be a multiple of 4: 4, 8, 12, …")

    @staticmethod
    def load_data(configuration):
        """Called once for the whole study. All trials share these arrays, and cannot write to them."""
        digits = load_digits()
        order = np.random.default_rng(0).permutation(len(digits.target))
        images = (digits.images[order, None] / 16).astype(np.float32)  # images, 1 channel, 8 rows, 8 columns
        labels = digits.target[order].astype(np.int64)
        return {
            "train": (images[VALIDATION_IMAGES:], labels[VALIDATION_IMAGES:]),
            "validation": (images[:VALIDATION_IMAGES], labels[:VALIDATION_IMAGES]),
        }

    def __init__(self, configuration, data, device):
        self.seed = configuration["seed"]
        self.batch_size = configuration["batch_size"]
        self.epoch = 0
        # torch.tensor copies: PyTorch does not know that the shared arrays must not be written to
        self.train = [torch.tensor(array, device=device) for array in data["train"]]
        self.validation = [torch.tensor(array, device=device) for array in data["validation"]]
        torch.manual_seed(self.seed)
        self.model = make_model(configuration["width"]).to(device)
        self.optimizer = make_optimizer(self.model, configuration)
        self.flow: dict[str, float] = {}

    def train_epoch(self) -> dict[str, float]:
        """Train one epoch and return its figures, under any names; the YAML says which one the study is after."""
        self.epoch += 1
        images, labels = self.train
        # The order depends on seed and epoch alone, so an epoch that is run again is the same epoch.
        generator = torch.Generator().manual_seed(1000 * self.seed + self.epoch)
        batches = torch.randperm(len(labels), generator=generator).split(self.batch_size)
        weights = {name: weight for name, weight in self.model.named_parameters() if name.endswith("weight")}
        self.flow = dict.fromkeys(weights, 0.0)
        self.model.train()
        total_loss = 0.0
        for batch in batches:
            loss = functional.cross_entropy(self.model(images[batch]), labels[batch])
            self.optimizer.zero_grad()
            loss.backward()
            for name, weight in weights.items():
                self.flow[name] += weight.grad.abs().mean().item() / len(batches)
            self.optimizer.step()
            total_loss += loss.item() * len(batch)
        return {"validation_error": self.validation_error(), "train_loss": total_loss / len(labels)}

    @torch.no_grad()
    def validation_error(self) -> float:
        """Share of the validation images that the network reads wrongly."""
        images, labels = self.validation
        self.model.eval()
        return (self.model(images).argmax(dim=1) != labels).float().mean().item()

    def gradient_flow(self) -> dict[str, float]:
        """Layer -> mean |dL/dW| over the steps of the last epoch; kept with the epoch, to see which layers learn."""
        return self.flow

    def state_dict(self) -> dict:
        """All that is needed to go on: weights, what the optimizer remembers, and the epoch."""
        return {"epoch": self.epoch, "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        """Go on after the epoch at which the state was taken."""
        self.epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def make_model(width: int) -> nn.Module:
    """Two convolutions and a linear layer, for images of 1 x 8 x 8."""
    return nn.Sequential(
        nn.Conv2d(1, width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, kernel_size=3, padding=1),
        nn.GroupNorm(4, 2 * width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * 4 * 4, 10),
    )


def make_optimizer(model: nn.Module, configuration) -> torch.optim.Optimizer:
    """The optimizer is searched too; `momentum` is in the configuration only where its `when` holds."""
    learning_rate = configuration["learning_rate"]
    if configuration["optimizer"] == "sgd":
        return torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=configuration["momentum"])
    return torch.optim.AdamW(model.parameters(), lr=learning_rate)
