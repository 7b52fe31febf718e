"""A search space file: YAML in, checked plain values out. What is searched, by whom, and how much it may cost.

Nothing here knows Optuna, Ray or torch; the study and the sampler turn these values into theirs.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuner.distributions import Fixed, Parameter, active_parameters, parse_space
from tuner.errors import SettingError
from tuner.plain_words import first_problem
from tuner.shipped import find_search_space
from tuner.yaml_source import YamlSource, locate, read_yaml


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Metric(_Strict):
    """The one figure the search makes better; a trial's value is that of its best epoch."""

    name: Annotated[str, Field(min_length=1)]
    goal: Literal["maximize", "minimize"]


class Sampler(_Strict):
    """Who proposes configurations."""

    name: Literal["tpe", "random"] = "tpe"
    seed: Annotated[int, Field(ge=0)] = 0


class EarlyStopping(_Strict):
    """The rule that stops trials early; `auto` is a tenth of the epochs, at least 1."""

    name: Literal["asha", "none"] = "asha"
    min_epochs: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    brackets: Annotated[int, Field(ge=1)] = 1


class Budget(_Strict):
    """What all launches of the study together may spend; at least one limit."""

    trials: Annotated[int, Field(ge=1)] | None = None
    hours: Annotated[float, Field(gt=0)] | None = None
    gpu_hours: Annotated[float, Field(gt=0)] | None = None


class Resources(_Strict):
    """What one trial is given. `auto`: one GPU when there is one, one CPU; a number is a demand."""

    gpus: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    cpus: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"


class _File(_Strict):
    """The keys of the file, top to bottom."""

    study: Annotated[str, Field(min_length=1)]
    metric: Metric
    trainer: Annotated[str, Field(min_length=1)]
    settings: dict[str, Any]
    space: dict[str, Any]
    sampler: Sampler = Sampler()
    early_stopping: EarlyStopping = EarlyStopping()
    stop_when: list[Literal["not_finite"]] = ["not_finite"]
    concurrency: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    budget: Budget
    resources: Resources = Resources()


class SearchSpace:
    """A checked search space file.

    Attributes are those of the file (`study`, `metric`, `trainer`, …), with `epochs` taken out of the settings and
    `parameters` parsed from `space`: every parameter after those that its `when` names.
    """

    def __init__(self, file: _File, parameters: tuple[Parameter, ...], source: YamlSource) -> None:
        self.study = file.study
        self.metric = file.metric
        self.trainer = file.trainer
        self.settings: Mapping[str, Any] = file.settings
        self.epochs: int = file.settings["epochs"]
        self.parameters = parameters
        self.sampler = file.sampler
        self.early_stopping = file.early_stopping
        self.stop_when = tuple(file.stop_when)
        self.concurrency = file.concurrency
        self.budget = file.budget
        self.resources = file.resources
        self.source = source
        self._file = file

    def configuration(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Settings and parameters in one mapping, as a trainer takes it; parameters whose `when` does not hold are left out."""
        return {**self.settings, **{p.name: chosen[p.name] for p in active_parameters(self.parameters, chosen)}}

    def fixed_configuration(self) -> dict[str, Any]:
        """The one configuration of a space whose every entry is a fixed value.

        Raises: InputError: some entries are still open; it names them and the way to fix them.
        """
        chosen = {p.name: p.distribution.value for p in self.parameters if isinstance(p.distribution, Fixed)}
        still_open = [p for p in active_parameters(self.parameters, chosen) if p.name not in chosen]
        if still_open:
            names = ", ".join(p.name for p in still_open)
            example = " ".join(f"--set space.{p.name}={_as_yaml(p.distribution.example())}" for p in still_open)
            raise self.source.error(
                ["space"], f"{names} still open; one configuration needs a value for each: {example}"
            )
        return self.configuration(chosen)

    def as_json(self) -> dict[str, Any]:
        """The file as it was checked, defaults filled in: what the database keeps."""
        return self._file.model_dump(mode="json")


def load_search_space(path: Path, overrides: tuple[str, ...] = ()) -> SearchSpace:
    """Read and check a file, or one that ships under that name, with `KEY=VALUE` overrides applied first.

    Raises: InputError: file, line and key, what was found, what is allowed, what to do.
    """
    return check_search_space(read_yaml(find_search_space(path)).with_overrides(overrides))


def check_search_space(source: YamlSource) -> SearchSpace:
    """Check the values of a file against each other.

    Raises: InputError: as `load_search_space`.
    """
    try:
        file = _File.model_validate(source.values)
    except ValidationError as error:
        path, message = first_problem(error, _File)
        raise source.error(path, message) from error
    epochs = file.settings.get("epochs")
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1:
        raise source.error(["settings", "epochs"], f"{epochs!r} is not allowed; it must be a whole number, at least 1")
    if not file.budget.model_dump(exclude_none=True):
        raise source.error(["budget"], "no limit given; write trials: N, hours: H or gpu_hours: H")
    minimum = file.early_stopping.min_epochs
    if minimum != "auto" and minimum > epochs:
        raise source.error(
            ["early_stopping", "min_epochs"],
            f"{minimum} is more than the {epochs} epochs of a trial; lower it: --set early_stopping.min_epochs=auto",
        )
    try:
        parameters = parse_space(file.space)
    except SettingError as error:
        raise locate(source, error, ("space",)) from error
    both = sorted(set(file.settings) & set(file.space))
    if both:
        raise source.error(["space", both[0]], "is under settings too; keep it in one place")
    return SearchSpace(file, parameters, source)


def file_schema() -> dict[str, Any]:
    """The JSON Schema of the file's keys as far as types go; `tuner.schema` says the rest."""
    return _File.model_json_schema()


def best_value(values: list[float], goal: str) -> float | None:
    """The best finite value, or None when there is none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    return max(finite) if goal == "maximize" else min(finite)


def _as_yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
