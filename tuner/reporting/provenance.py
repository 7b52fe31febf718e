"""Where a study comes from: on what it ran, with which versions and data, launched how; and how to run it again."""

import shlex
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from tuner.reporting.headline import Headline
from tuner.reporting.study_data import StudyData


@dataclass(frozen=True, slots=True)
class Launched:
    """One run of the driver. Times are UTC; `changed`: what is another version than in the launch before."""

    where: str
    began: datetime
    ended: datetime | None
    outcome: str
    command: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A machine and a device on which attempts ran, each with so many CPUs and GPUs."""

    node: str
    device: str
    resources: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Command:
    """What to type, and what it does."""

    does: str
    words: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """All of it. `versions`: package -> version in the newest launch."""

    versions: dict[str, str]
    data_fingerprint: str | None
    places: tuple[Place, ...]
    launches: tuple[Launched, ...]


def provenance(study: StudyData) -> Provenance:
    """Where a study comes from."""
    newest = study.launches["versions"].iloc[-1] if len(study.launches) else {}
    return Provenance(dict(newest), study.data_fingerprint, _places(study.attempts), _launches(study))


def run_again(facts: Headline, storage: str) -> list[Command]:
    """The commands with which a study is gone on with, begun anew, and checked.

    Args:
        storage: the database's URL, without a password.
    """
    at = f" --storage {shlex.quote(storage)}"
    name = shlex.quote(facts.study)
    found = [
        Command("go on with it, in the same database", f"tuner resume {name}{at}"),
        Command("begin it anew from the file above, in a new database", "tuner launch space.yaml --storage sqlite:///again.db"),
    ]  # fmt: skip
    if facts.winner is not None:
        best = facts.winner.trial
        found += [
            Command("train the best trial again and compare every figure", f"tuner reproduce {name} {best}{at}"),
            Command(
                "take its configuration along", f"tuner best {name} --yaml{at} > best.yaml && tuner train best.yaml"
            ),
        ]
    return found


def _places(attempts: pd.DataFrame) -> tuple[Place, ...]:
    known = attempts[attempts["node"].notna()]
    counted = known.groupby(["node", "device", "cpus", "gpus"], dropna=False, sort=False).size()
    return tuple(
        Place(str(node), str(device), _resources(cpus, gpus), int(count))
        for (node, device, cpus, gpus), count in counted.items()
    )


def _resources(cpus: float, gpus: float) -> str:
    held = [
        f"{share:g} {what}{'' if share == 1 else 's'}" for share, what in ((cpus, "CPU"), (gpus, "GPU")) if share > 0
    ]
    return ", ".join(held)


def _launches(study: StudyData) -> tuple[Launched, ...]:
    found: list[Launched] = []
    before: dict[str, str] = {}
    alive = {(launch.hostname, launch.pid) for launch in study.standing.launches if launch.alive}
    for row in study.launches.itertuples():
        versions = dict(row.versions)
        changed = tuple(
            f"{name} {versions.get(name, 'none')}"
            for name in (before | versions)
            if before.get(name) != versions.get(name)
        )
        ended = None if pd.isna(row.ended_at) else row.ended_at
        runs = ended is None and (row.hostname, row.pid) in alive
        outcome = "running" if runs else str(row.outcome or "died")
        command = shlex.join(row.argv)
        where = f"{row.hostname}, process {row.pid}"
        found.append(Launched(where, row.started_at, ended, outcome, command, changed if before else ()))
        before = versions
    return tuple(found)
