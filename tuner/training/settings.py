"""Settings of the VGG trainer: what a YAML may write under `settings:` and `space:`. Imports no torch, so checking is quick."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tuner.errors import SettingError
from tuner.plain_words import first_problem

METRICS = ("train_accuracy", "train_loss", "validation_accuracy", "validation_loss", "learning_rate")
DATA_SETTINGS = frozenset(
    {"dataset", "data_dir", "split_seed", "train_images", "crop_padding", "flip"}
)  # one for all trials


class VggSettings(BaseModel):
    """One configuration of the VGG trainer, checked.

    Defaults are those of the study that this network comes from: Adam at 1e-3, cosine annealing to 2e-5, batches of 100.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    dataset: Literal["cifar100", "digits", "folder"]
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    data_dir: Annotated[str, Field(min_length=1)] | None = None
    depth: Annotated[int, Field(ge=8, le=1004, description="8, 14, 20, … 38: 6 n + 8")] = 38
    filters: Annotated[int, Field(ge=1, le=4096)] = 32
    bn_position: Literal["none", "before_relu", "after_relu"] = "none"
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    batch_size: Annotated[int, Field(ge=2, le=1_000_000)] = 100
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3
    final_learning_rate: Annotated[float, Field(ge=0.0)] = 2e-5
    seed: Annotated[int, Field(ge=0)] = 0
    split_seed: Annotated[int, Field(ge=0)] = 0
    train_images: Annotated[int, Field(ge=2)] | None = None
    crop_padding: (
        Annotated[int, Field(ge=0, le=32, description="pixels; without it 4, 1 for images below 32 pixels")] | None
    ) = None
    flip: Annotated[bool, Field(description="mirror half of the training images; without it not the digits")] | None = (
        None
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "VggSettings":
        if (self.depth - 8) % 6:
            raise ValueError(f"depth: {self.depth} is no depth of this network; use 6 n + 8: 8, 14, 20, 26, 32, 38, …")
        if self.dataset == "folder" and self.data_dir is None:
            raise ValueError("data_dir: is missing; dataset: folder needs the folder that has train/<class>/*.png")
        return self

    @property
    def data_path(self) -> Path:
        """The folder with the images, as written: relative to the working folder."""
        return Path(self.data_dir or "data/cifar100")


def check_settings(configuration: Mapping[str, Any]) -> VggSettings:
    """The configuration as checked settings.

    Raises: SettingError: a key is unknown or its value cannot be used; it names the key.
    """
    try:
        return VggSettings.model_validate(dict(configuration))
    except ValidationError as error:
        path, message = first_problem(error, VggSettings)
        if not path:  # an error of the whole names its key itself
            key, _, message = message.partition(": ")
            raise SettingError(key, message) from error
        raise SettingError(".".join(path), message) from error
