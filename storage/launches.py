"""Launches of a study: who is alive, who died, and which search space each version of the study had.

A launch is alive while its heartbeat, on the database's clock, is young. On this host it is dead as soon as its process is:
boot, pid namespace, pid and the process's start time together name one process for ever.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.columns import database_now
from storage.tables import ATTEMPT, LAUNCH, OPTUNA_STUDIES, SPACE

HEARTBEAT_SECONDS = 10.0
HEARTBEAT_EXPIRY_SECONDS = 90.0  # longer than Ray takes to call a node dead (65 s)


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Names one process on one host for ever."""

    hostname: str
    boot_id: str
    pid_namespace: str
    pid: int
    process_start: str

    @classmethod
    def of_this_process(cls) -> "ProcessIdentity":
        """The process that asks."""
        return cls(socket.gethostname(), _boot_id(), _pid_namespace(), os.getpid(), _process_start(os.getpid()))


@dataclass(frozen=True, slots=True)
class LaunchRecord:
    """A launch that has not ended, as its row says."""

    launch_id: int
    identity: ProcessIdentity
    seconds_since_heartbeat: float

    def is_alive(self) -> bool:
        """Whether its process still runs, as far as can be told from here; one that has slept for long counts as dead."""
        there = self.identity
        here = (there.boot_id, there.pid_namespace) == (_boot_id(), _pid_namespace())
        if here and _process_start(there.pid) != there.process_start:
            return False
        return self.seconds_since_heartbeat < HEARTBEAT_EXPIRY_SECONDS


def open_launches(connection: Connection, study_id: int) -> list[LaunchRecord]:
    """Launches of a study without an end: alive, or dead without a word."""
    age = (database_now() - LAUNCH.c.heartbeat_at).label("age")
    query = sa.select(LAUNCH, age).where(LAUNCH.c.study_id == study_id, LAUNCH.c.ended_at.is_(None))
    return [
        LaunchRecord(
            row.launch_id,
            ProcessIdentity(row.hostname, row.boot_id, row.pid_namespace, row.pid, row.process_start),
            row.age,
        )
        for row in connection.execute(query.order_by(LAUNCH.c.launch_id))
    ]


def begin_launch(
    connection: Connection, study_id: int, identity: ProcessIdentity, versions: Mapping[str, str], argv: Sequence[str]
) -> int:
    """Write the row of a launch that begins now; returns its id."""
    row = {
        "study_id": study_id,
        "hostname": identity.hostname,
        "boot_id": identity.boot_id,
        "pid_namespace": identity.pid_namespace,
        "pid": identity.pid,
        "process_start": identity.process_start,
        "started_at": database_now(),
        "heartbeat_at": database_now(),
        "versions": dict(versions),
        "argv": list(argv),
    }
    return int(connection.execute(sa.insert(LAUNCH).values(**row).returning(LAUNCH.c.launch_id)).scalar_one())


def end_launch(connection: Connection, launch_id: int, outcome: str, ended_at: float | None = None) -> None:
    """The launch is over; without a time, now."""
    when = database_now() if ended_at is None else ended_at
    connection.execute(sa.update(LAUNCH).where(LAUNCH.c.launch_id == launch_id).values(ended_at=when, outcome=outcome))


def revive_launch(connection: Connection, launch_id: int) -> None:
    """A launch that slept and was taken for dead is not; what others took from it stays theirs."""
    connection.execute(
        sa.update(LAUNCH)
        .where(LAUNCH.c.launch_id == launch_id, LAUNCH.c.ended_at.is_not(None))
        .values(ended_at=None, outcome=None, heartbeat_at=database_now())
    )


def last_heartbeat(connection: Connection, launch_id: int) -> float:
    """When the launch was last heard of."""
    return float(
        connection.execute(sa.select(LAUNCH.c.heartbeat_at).where(LAUNCH.c.launch_id == launch_id)).scalar_one()
    )


def renew_heartbeat(connection: Connection, launch_id: int) -> None:
    """The launch is alive now."""
    connection.execute(sa.update(LAUNCH).where(LAUNCH.c.launch_id == launch_id).values(heartbeat_at=database_now()))


def name_for_ever(connection: Connection, study: str) -> str:
    """Names the study in its database for ever, among all studies of all databases: by the process and the moment of its
    first launch."""
    query = (
        sa.select(LAUNCH)
        .join(OPTUNA_STUDIES, OPTUNA_STUDIES.c.study_id == LAUNCH.c.study_id)
        .where(OPTUNA_STUDIES.c.study_name == study)
        .order_by(LAUNCH.c.launch_id)
        .limit(1)
    )
    row = connection.execute(query).one()
    return f"{row.boot_id} {row.pid_namespace} {row.pid} {row.process_start} {row.started_at!r}"


def spent_hours(connection: Connection, study_id: int, now: float) -> float:
    """Wall hours of all launches of a study so far; `now`, in unix seconds, ends those that have not ended."""
    query = sa.select(sa.func.sum(_until(now) - LAUNCH.c.started_at)).where(LAUNCH.c.study_id == study_id)
    return float(connection.execute(query).scalar_one() or 0.0) / 3600


def spent_gpu_hours(connection: Connection, study_id: int, now: float) -> float:
    """GPU hours of all attempts of a study so far, running ones included."""
    return _spent(connection, study_id, ATTEMPT.c.gpus, now)


def spent_cpu_hours(connection: Connection, study_id: int, now: float) -> float:
    """CPU hours of all attempts of a study so far, running ones included."""
    return _spent(connection, study_id, ATTEMPT.c.cpus, now)


def _spent(connection: Connection, study_id: int, share: sa.ColumnElement[float], now: float) -> float:
    # launch by launch, each from an index: by its trials, a study of thousands would be looked up one by one at every epoch
    ended_at = sa.func.coalesce(
        ATTEMPT.c.ended_at, sa.case((_until(now) > ATTEMPT.c.started_at, _until(now)), else_=ATTEMPT.c.started_at)
    )
    seconds = sa.func.sum((ended_at - ATTEMPT.c.started_at) * share)
    of_launch = sa.select(seconds).where(ATTEMPT.c.launch_id == LAUNCH.c.launch_id).scalar_subquery()
    query = sa.select(sa.func.sum(of_launch)).where(LAUNCH.c.study_id == study_id)
    return float(connection.execute(query).scalar_one() or 0.0) / 3600


def _until(now: float) -> sa.ColumnElement[float]:
    """When a launch ended, or was last heard of, or now: one that died without a word has spent nothing since. Heartbeats
    are judged by their own clock, the database's; `now` may be a simulated one's."""
    silent = LAUNCH.c.heartbeat_at < database_now() - HEARTBEAT_EXPIRY_SECONDS
    return sa.func.coalesce(LAUNCH.c.ended_at, sa.case((silent, LAUNCH.c.heartbeat_at), else_=now))


def newest_space(connection: Connection, study_id: int) -> sa.Row[Any] | None:
    """The newest version of the study's search space: version, content, data_fingerprint."""
    query = sa.select(SPACE).where(SPACE.c.study_id == study_id).order_by(SPACE.c.version.desc()).limit(1)
    return connection.execute(query).one_or_none()


def add_space(
    connection: Connection, study_id: int, version: int, content: Mapping[str, Any], fingerprint: str | None
) -> None:
    """Keep a new version of the study's search space."""
    connection.execute(
        sa.insert(SPACE).values(
            study_id=study_id,
            version=version,
            content=dict(content),
            data_fingerprint=fingerprint,
            created_at=database_now(),
        )
    )


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _pid_namespace() -> str:
    return os.readlink("/proc/self/ns/pid")


def _process_start(pid: int) -> str:
    """Start time of a process in clock ticks since the boot; empty when there is no such process, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
