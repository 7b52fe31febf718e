"""Trains one VGG: Adam, cosine annealing, accuracy and loss on training and validation images, gradient flow.

Every random choice of epoch e is a function of (seed, e), so an epoch that is run again, in another process or after a
checkpoint, is the same epoch bit for bit (on one kind of CPU with the same number of threads).
Shapes: B images of a batch, N of a split, C channels, H rows, W columns.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tuner.training.augmentation import crop_and_flip, draw_epoch, normalize
from tuner.training.data import ImageData, Images
from tuner.training.gradient_flow import GradientFlow
from tuner.training.seeds import derive_seed
from tuner.training.settings import check_settings
from tuner.training.vgg import Vgg, VggShape, layer_names, layer_weights

EVALUATION_BATCH = 500


def cosine_learning_rate(epoch: int, num_epochs: int, initial: float, final: float) -> float:
    """Learning rate of an epoch (1, 2, …, num_epochs).

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, one period over all epochs.
    """
    return final + (initial - final) * (1 + math.cos(math.pi * (epoch - 1) / num_epochs)) / 2


class VggTrainer:
    """The product's own trainer; see `tuner.training.trainer.Trainer`.

    Metrics of an epoch: train_accuracy and train_loss (means over the epoch, in training mode), validation_accuracy and
    validation_loss (after the epoch, in evaluation mode), learning_rate. Accuracies are fractions, losses cross-entropy
    in nats.
    Raises: SettingError: the configuration cannot be used.
    """

    def __init__(self, configuration: Mapping[str, Any], data: ImageData, device: str) -> None:
        self._settings = check_settings(configuration)
        self._data = data
        self._device = torch.device(device)
        self._epoch = 0
        torch.manual_seed(derive_seed(self._settings.seed, "weights"))
        self.shape = VggShape(
            self._settings.depth,
            self._settings.filters,
            len(data.class_names),
            self._settings.bn_position,
            self._settings.dropout,
        )
        self.model = (
            Vgg(self.shape).to(self._device).to(memory_format=torch.channels_last)
        )  # measured faster on CPU and GPU
        self._optimizer = torch.optim.Adam(
            self.model.parameters(),
            lr=self._settings.learning_rate,
            weight_decay=self._settings.weight_decay,
            fused=True,
        )
        self._flow = self._new_flow()
        self._mean_C = torch.tensor(data.mean, device=self._device)
        self._std_C = torch.tensor(data.std, device=self._device)
        self._train = _on_device(data.train, self._device)
        self._validation = _on_device(data.validation, self._device)

    def train_epoch(self) -> dict[str, float]:
        """One pass over the training images, then one over the validation images."""
        self._epoch += 1
        settings = self._settings
        torch.manual_seed(derive_seed(settings.seed, "dropout", self._epoch))
        learning_rate = cosine_learning_rate(
            self._epoch, settings.epochs, settings.learning_rate, settings.final_learning_rate
        )
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        train_loss, train_accuracy = self._train_once()
        validation_loss, validation_accuracy = self._validate()
        return {
            "train_accuracy": train_accuracy,
            "train_loss": train_loss,
            "validation_accuracy": validation_accuracy,
            "validation_loss": validation_loss,
            "learning_rate": learning_rate,
        }

    def gradient_flow(self) -> dict[str, float]:
        """Layer -> mean |dL/dW| over the steps of the last epoch."""
        return self._flow.means()

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer and epoch; all randomness follows from the seed and the epoch. Plain tensors and numbers."""
        return {"epoch": self._epoch, "model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the epoch at which the state was taken."""
        self._epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _new_flow(self) -> GradientFlow:
        return GradientFlow(layer_names(self.model), layer_weights(self.model))

    def _train_once(self) -> tuple[float, float]:
        self.model.train()
        self._flow = self._new_flow()
        tally = _Tally(self._device)
        for x_BCHW, labels_B in self._augmented_batches():
            logits_BK = self.model(x_BCHW)
            loss = functional.cross_entropy(logits_BK, labels_B)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._flow.add_step()
            self._optimizer.step()
            tally.add(loss.detach(), logits_BK.detach(), labels_B)
        return tally.means()

    def _augmented_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        images_NHWC, labels_N = self._train
        data, settings = self._data, self._settings
        draws = draw_epoch(
            len(labels_N), data.crop_padding, data.flip, derive_seed(settings.seed, "images", self._epoch)
        )
        for start in range(0, len(labels_N), settings.batch_size):
            rows = slice(start, start + settings.batch_size)
            index = draws.order[rows].to(self._device)
            if len(index) == 1:
                return  # batch normalization has no variance over one value
            images_BHWC = crop_and_flip(
                images_NHWC[index], data.crop_padding, draws.top[rows], draws.left[rows], draws.flip[rows]
            )
            yield normalize(images_BHWC, self._mean_C, self._std_C), labels_N[index]

    @torch.no_grad()
    def _validate(self) -> tuple[float, float]:
        self.model.eval()
        images_NHWC, labels_N = self._validation
        tally = _Tally(self._device)
        for start in range(0, len(labels_N), EVALUATION_BATCH):
            rows = slice(start, start + EVALUATION_BATCH)
            logits_BK = self.model(normalize(images_NHWC[rows].clone(), self._mean_C, self._std_C))
            loss = functional.cross_entropy(logits_BK, labels_N[rows])
            tally.add(loss, logits_BK, labels_N[rows])
        return tally.means()


def _on_device(images: Images, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images and labels on the device: copied whole to a GPU; on the CPU the shared memory itself.

    The shared arrays are read-only and torch cannot know it: nothing may write in place into these tensors. Indexing
    with a tensor copies, slices are cloned before use.
    """
    if device.type != "cpu":
        return torch.tensor(images.images_NHWC, device=device), torch.tensor(images.labels_N, device=device)
    return _view(images.images_NHWC), _view(images.labels_N)


def _view(array: Any) -> Tensor:
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


class _Tally:
    """Means of loss and accuracy over batches of any size, added up on the device without waiting for it."""

    def __init__(self, device: torch.device) -> None:
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._correct = torch.zeros((), dtype=torch.int64, device=device)
        self._num_images = 0

    def add(self, loss: Tensor, logits_BK: Tensor, labels_B: Tensor) -> None:
        self._loss += loss.double() * len(labels_B)
        self._correct += (logits_BK.argmax(dim=1) == labels_B).sum()
        self._num_images += len(labels_B)

    def means(self) -> tuple[float, float]:
        """Mean loss and accuracy an image."""
        return self._loss.item() / self._num_images, self._correct.item() / self._num_images
