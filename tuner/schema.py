"""The JSON Schema (draft 2020-12) of a search space file, so that an editor completes and checks it while it is written.

It accepts every right file. What it cannot say (a `when` that names no parameter, a low above its high) is said by
`tuner validate`.
"""

from typing import Any

from tuner.search_space import RULES, SAMPLERS, file_schema
from tuner.training.settings import DATA_SETTINGS, METRICS, VggSettings

Schema = dict[str, Any]

_DESCRIPTIONS = {
    "study": "The study's name in the database. The same name goes on with the same study.",
    "metric": "What is searched for: one of the trainer's figures, as large or as small as possible.",
    "metric.name": "The name that the trainer gives the figure, for example validation_accuracy.",
    "metric.goal": "maximize or minimize.",
    "trainer": "vgg, or package.module:Class, a class of your own.",
    "settings": "What all trials have in common.",
    "space": "What is searched: a list of values, a range {low, high}, or one value for each name.",
    "sampler": "Who proposes configurations.",
    "enqueue": "Configurations to try first; what one leaves open, the sampler chooses.",
    "sampler.name": "tpe, gp and cmaes learn from the trials so far; random, qmc and grid do not. Or package.module:Class.",
    "sampler.seed": "The same seed and the same results give the same study.",
    "early_stopping": "When trials are compared, and which are stopped.",
    "early_stopping.name": "asha stops those that are behind at a rung, median those below the median; none stops nobody.",
    "early_stopping.min_epochs": "The first rung, in epochs; auto is a tenth of the epochs, at least 1.",
    "early_stopping.reduction_factor": "About one trial in so many goes on from a rung to the next.",
    "early_stopping.brackets": "Number of ladders of rungs; each begins later than the one before.",
    "early_stopping.min_trials": "The rule median stops nobody before so many trials have come as far.",
    "stop_when": "What ends a trial in that very epoch: not_finite is a NaN or an infinite figure.",
    "concurrency": "How many trials run at once; auto is as many as fit.",
    "max_retries": "How often a trial whose training raises is tried again, from its newest checkpoint.",
    "trial_timeout": "Seconds that a trial may take for its next epoch; after that its trainer counts as hung.",
    "repeats": "A configuration that comes up again: reuse its recorded result, or rerun it (training is not deterministic).",
    "checkpoint": "What is kept of a trial's state, so that it can be gone on with.",
    "checkpoint.every": "Epochs between two checkpoints; never keeps none.",
    "checkpoint.location": "A folder or a URL (s3://…); auto is beside the database, or in the working folder.",
    "checkpoint.keep": "How many finished trials keep the checkpoint of their best epoch.",
    "checkpoint.quota_gb": "What all checkpoints of the study may take, in 10^9 bytes.",
    "budget": "What all launches of the study together may spend; at least one limit.",
    "budget.trials": "Number of trials.",
    "budget.hours": "Hours that launches take, all together.",
    "budget.gpu_hours": "GPUs times hours of all trials.",
    "budget.cpu_hours": "CPUs times hours of all trials.",
    "resources": "What one trial is given.",
    "resources.gpus": "GPUs of one trial; auto is one where there is one. A number is a demand.",
    "resources.cpus": "CPUs of one trial; auto is 1. A number is a demand.",
    "settings.dataset": "cifar100, digits (bundled with scikit-learn, needs no download), or folder: your own images.",
    "settings.epochs": "Epochs of a trial that is not stopped early.",
    "settings.data_dir": "Folder with train/<class>/*.png and test/<class>/*.png; for cifar100 also with its archive.",
    "settings.depth": "Layers of the network: 8, 14, 20, … 38, that is 6 n + 8.",
    "settings.filters": "Channels of every convolution.",
    "settings.bn_position": "Batch normalization after the convolutions: none, before or after the activation.",
    "settings.dropout": "Share of the activations that is dropped after every batch normalization.",
    "settings.batch_size": "Images in a batch.",
    "settings.weight_decay": "Adam's weight decay, in its L2 form.",
    "settings.learning_rate": "Adam's learning rate in the first epoch; it is lowered along a cosine.",
    "settings.final_learning_rate": "The learning rate at which that cosine ends.",
    "settings.seed": "Of weights, order of the images, augmentation and dropout; the same for all trials.",
    "settings.split_seed": "Of the split into training and validation images.",
    "settings.train_images": "Train on the first so many images only.",
    "settings.crop_padding": "Pixels by which images are moved at most; without it 4, 1 for images below 32 pixels.",
    "settings.flip": "Mirror half of the training images; without it not the digits.",
}

_SCALAR: Schema = {"type": ["number", "string", "boolean", "null"]}
_VALUES: Schema = {"type": "array", "items": _SCALAR, "minItems": 1, "uniqueItems": True}
_WHEN: Schema = {
    "type": "object",
    "description": "In force only where each of these parameters has one of these values: {parameter: [values]}.",
    "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]},
}


def search_space_schema() -> Schema:
    """The schema, every key with a description."""
    schema = file_schema()
    parts = schema["$defs"]
    keys = schema["properties"]
    keys["space"] = {"type": "object", "additionalProperties": _entry()}
    keys["settings"] = {
        "type": "object",
        "properties": {"epochs": {"type": "integer", "minimum": 1}},
        "required": ["epochs"],
    }
    keys["study"]["minLength"] = 1
    keys["trainer"] = {"type": "string", "anyOf": [{"const": "vgg"}, {"pattern": "^[^:]+:[^:]+$"}]}
    keys["enqueue"] = {"type": "array", "items": {"type": "object", "additionalProperties": _SCALAR}}
    own = {"pattern": "^[^:]+:[^:]+$"}
    parts["Sampler"]["properties"]["name"] = {"type": "string", "anyOf": [{"enum": [*SAMPLERS]}, own]}
    for key, value in keys.items():
        _describe(value, key, parts)
    for key, names in (("sampler", [*SAMPLERS]), ("early_stopping", [*RULES])):  # a name alone will do
        keys[key] = {"description": _DESCRIPTIONS[key], "anyOf": [{"enum": names}, {"$ref": keys[key]["$ref"]}]}
    schema["anyOf"] = [  # a grid ends by itself
        {"properties": {"sampler": {"anyOf": [{"const": "grid"}, {"properties": {"name": {"const": "grid"}}}]}},
         "required": ["sampler"]},
        {"properties": {"budget": {"minProperties": 1}}, "required": ["budget"]},
    ]  # fmt: skip
    schema["if"] = {"properties": {"trainer": {"const": "vgg"}}, "required": ["trainer"]}
    schema["then"] = {"properties": _of_vgg()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A search space of tuner",
        "description": "What a study searches, with whose training code, and what it may spend.",
    }


def _of_vgg() -> dict[str, Schema]:
    settings = VggSettings.model_json_schema()
    settings.pop("description", None)
    settings["required"] = ["dataset", "epochs"]
    _describe_inner(settings, "settings")
    searched = sorted(set(settings["properties"]) - DATA_SETTINGS - {"epochs"})
    return {
        "settings": settings,
        "space": {"propertyNames": {"enum": searched}},
        "metric": {"properties": {"name": {"enum": list(METRICS)}}},
    }


def _entry() -> Schema:
    """One entry of `space`, in each of its forms."""
    log_needs_above_zero = {
        "if": {"properties": {"scale": {"const": "log"}}, "required": ["scale"]},
        "then": {"properties": {"low": {"exclusiveMinimum": 0}}},
    }
    number_range = _mapping(
        "A range of numbers.",
        {
            "low": {"type": "number", "description": "The smallest value, possible itself."},
            "high": {"type": "number", "description": "The largest value, possible itself."},
            "scale": {
                "enum": ["linear", "log"],
                "description": "log: as many values below as above the geometric mean.",
            },
            "step": {"type": "number", "exclusiveMinimum": 0, "description": "Only low, low + step, low + 2 step, …"},
            "type": {"enum": ["integer", "float"], "description": "Without it, whole numbers give whole numbers."},
        },
        required=["low", "high"],
    )
    choices = {**_VALUES, "description": "One of these values."}
    value = {**_SCALAR, "description": "No choice: always this value."}
    return {
        "anyOf": [
            value,
            choices,
            {**number_range, **log_needs_above_zero},
            _mapping("One of a few values.", {"choices": choices}, required=["choices"]),
            _mapping("No choice: always this value.", {"value": value}, required=["value"]),
        ]
    }


def _mapping(description: str, properties: dict[str, Schema], required: list[str]) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": {**properties, "when": _WHEN},
        "required": required,
        "additionalProperties": False,
    }


def _describe(schema: Schema, key: str, parts: dict[str, Schema]) -> None:
    """Describe a key, and those of the mapping it holds."""
    schema["description"] = _DESCRIPTIONS[key]
    _describe_inner(parts[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema, key)


def _describe_inner(schema: Schema, key: str) -> None:
    for inner, value in schema.get("properties", {}).items():
        value["description"] = _DESCRIPTIONS[f"{key}.{inner}"]
