"""A search space file: YAML in, checked plain values out. What is searched, by whom, and how much it may cost.

Nothing here knows Optuna, Ray or torch; the study and the sampler turn these values into theirs.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tuner.distributions import Fixed, Parameter, active_parameters, check_given, parse_space
from tuner.errors import SettingError
from tuner.plain_words import first_problem, name_problem, not_allowed, shown
from tuner.shipped import find_search_space
from tuner.yaml_source import YamlSource, locate, read_yaml

SAMPLERS = ("tpe", "random", "grid", "cmaes", "gp", "qmc")
LONGEST_STUDY_NAME, LONGEST_METRIC_NAME, LONGEST_PARAMETER_NAME = 200, 255, 255  # characters; databases keep 255
MOST_EPOCHS = 100_000
_KEYS_OF_RULE = {
    "asha": ("name", "min_epochs", "reduction_factor", "brackets"),
    "median": ("name", "min_epochs", "min_trials"),
    "none": ("name",),
}
RULES = tuple(_KEYS_OF_RULE)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _name(longest: int) -> AfterValidator:
    def check(text: str) -> str:
        problem = name_problem(text, longest)
        if problem:
            raise ValueError(problem)
        return text

    return AfterValidator(check)


_NAME_ALONE = BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value)


def _known_sampler(name: str) -> str:
    if name not in SAMPLERS and ":" not in name:
        raise ValueError(not_allowed(name, f"{', '.join(SAMPLERS)} or package.module:Class", SAMPLERS))
    return name


class Metric(_Strict):
    """The one figure the search makes better; a trial's value is that of its best epoch."""

    name: Annotated[str, _name(LONGEST_METRIC_NAME)]
    goal: Literal["maximize", "minimize"]


class Sampler(_Strict):
    """Who proposes configurations: one of ours by name, or `package.module:Class`, an Optuna sampler of one's own."""

    name: Annotated[str, AfterValidator(_known_sampler)] = "tpe"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


class EarlyStopping(_Strict):
    """The rule that stops trials early; `auto` is a tenth of the epochs, at least 1.

    `reduction_factor` and `brackets` are asha's, `min_trials` is median's.
    """

    name: Literal["asha", "median", "none"] = "asha"
    min_epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] | Literal["auto"] = "auto"
    reduction_factor: Annotated[int, Field(ge=2, le=1000)] = 3
    brackets: Annotated[int, Field(ge=1, le=100)] = 1
    min_trials: Annotated[int, Field(ge=1, le=1_000_000)] = 5


class Budget(_Strict):
    """What all launches of the study together may spend; at least one limit."""

    trials: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    hours: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    gpu_hours: Annotated[float, Field(gt=0, le=1_000_000_000)] | None = None
    cpu_hours: Annotated[float, Field(gt=0, le=1_000_000_000)] | None = None


class Checkpointing(_Strict):
    """How often a trial's state is kept, where, and how much of it.

    `every`: epochs between two states, or never; `location`: a folder or a URL, `auto` beside the database or in the working
    folder; `keep`: how many finished trials keep their best state; `quota_gb`: 10^9 bytes that all states may take.
    """

    every: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] | Literal["never"] = 1
    location: Annotated[str, _name(1000)] = "auto"
    keep: Annotated[int, Field(ge=0, le=10_000_000)] = 3
    quota_gb: Annotated[float, Field(gt=0, le=1_000_000_000)] | None = None


class Resources(_Strict):
    """What one trial is given. `auto`: one GPU when there is one, one CPU; a number is a demand."""

    gpus: Annotated[float, Field(ge=0, le=10_000)] | Literal["auto"] = "auto"
    cpus: Annotated[int, Field(ge=1, le=10_000)] | Literal["auto"] = "auto"


class _File(_Strict):
    """The keys of the file, top to bottom."""

    study: Annotated[str, _name(LONGEST_STUDY_NAME)]
    metric: Metric
    trainer: Annotated[str, _name(1000)]
    settings: dict[str, Any]
    space: dict[str, Any]
    enqueue: list[dict[str, Any]] = []
    sampler: Annotated[Sampler, _NAME_ALONE] = Sampler()
    early_stopping: Annotated[EarlyStopping, _NAME_ALONE] = EarlyStopping()
    stop_when: list[Literal["not_finite"]] = ["not_finite"]
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | Literal["auto"] = "auto"
    max_retries: Annotated[int, Field(ge=0, le=1000)] = 0
    trial_timeout: Annotated[float, Field(gt=0, le=1_000_000_000)] | None = None
    repeats: Literal["reuse", "rerun"] = "reuse"
    checkpoint: Checkpointing = Checkpointing()
    budget: Budget = Budget()
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
        self.enqueue: tuple[Mapping[str, Any], ...] = tuple(file.enqueue)
        self.sampler = file.sampler
        self.early_stopping = file.early_stopping
        self.stop_when = tuple(file.stop_when)
        self.concurrency = file.concurrency
        self.max_retries = file.max_retries
        self.trial_timeout_seconds = file.trial_timeout
        self.repeats = file.repeats
        self.checkpoint = file.checkpoint
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

    def fixed_to(self, sampled: Mapping[str, Any]) -> dict[str, Any]:
        """The file with each entry of `space` as one trial had it; parameters that were not in force are left out.

        Args:
            sampled: the trial's values, those of fixed entries not among them.
        """
        fixed = {p.name: p.distribution.value for p in self.parameters if isinstance(p.distribution, Fixed)}
        chosen = {**fixed, **sampled}
        in_force = {p.name for p in active_parameters(self.parameters, chosen)}
        space = {name: chosen[name] for name in self._file.space if name in in_force}
        return {**self.as_json(), "space": space, "enqueue": []}

    def as_json(self) -> dict[str, Any]:
        """The file as it was checked, defaults filled in: what the database keeps."""
        content = self._file.model_dump(mode="json")
        stopping = content["early_stopping"]
        return {**content, "early_stopping": {key: stopping[key] for key in _KEYS_OF_RULE[stopping["name"]]}}


def load_search_space(path: Path, overrides: tuple[str, ...] = ()) -> SearchSpace:
    """Read and check a file, or one that ships under that name, with `KEY=VALUE` overrides applied first.

    Raises: InputError: file, line and key, what was found, what is allowed, what to do.
    """
    return check_search_space(read_yaml(find_search_space(path)).with_overrides(overrides))


def check_search_space(source: YamlSource) -> SearchSpace:
    """Check the values of a file against each other.

    Raises: InputError: as `load_search_space`.
    """
    source.refuse_what_no_database_keeps()
    try:
        file = _File.model_validate(source.values)
    except ValidationError as error:
        path, message = first_problem(error, _File)
        raise source.error(path, message) from error
    if "epochs" not in file.settings:
        raise source.error(["settings"], "epochs is missing; say how many a trial may have: epochs: N")
    epochs = file.settings["epochs"]
    if not isinstance(epochs, int) or isinstance(epochs, bool) or not 1 <= epochs <= MOST_EPOCHS:
        raise source.error(
            ["settings", "epochs"], f"{shown(epochs)} is not allowed; it must be a whole number from 1 to {MOST_EPOCHS}"
        )
    if not file.budget.model_dump(exclude_none=True) and file.sampler.name != "grid":  # a grid ends by itself
        raise source.error(["budget"], "no limit given; write trials: N, hours: H, cpu_hours: H or gpu_hours: H")
    _check_keys_of_rule(file.early_stopping, source)
    for name in file.space:
        problem = name_problem(name, LONGEST_PARAMETER_NAME)
        if problem:
            raise source.error(["space", name], f"as the name of a parameter, {problem}")
    try:
        parameters = parse_space(file.space)
    except SettingError as error:
        raise locate(source, error, ("space",)) from error
    for index, configuration in enumerate(file.enqueue):
        try:
            check_given(parameters, configuration)
        except SettingError as error:
            raise locate(source, error, ("enqueue", str(index))) from error
    both = sorted(set(file.settings) & set(file.space))
    if both:
        raise source.error(["space", both[0]], "is under settings too; keep it in one place")
    return SearchSpace(file, parameters, source)


def _check_keys_of_rule(stopping: EarlyStopping, source: YamlSource) -> None:
    allowed = _KEYS_OF_RULE[stopping.name]
    for key in sorted(stopping.model_fields_set - {*allowed}):
        raise source.error(
            ["early_stopping", key], f"rule {stopping.name} has no such key; it takes {', '.join(allowed)}"
        )


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
