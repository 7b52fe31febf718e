"""When attempts and launches ended, and lanes in which attempts at the same time stand side by side."""

import heapq
from collections.abc import Sequence

import pandas as pd

from storage.launches import HEARTBEAT_EXPIRY_SECONDS

UNKNOWN_NODE = "node not known"


def launches_until(
    launches: pd.DataFrame, attempts: pd.DataFrame, trials: pd.DataFrame, now: pd.Timestamp
) -> pd.DataFrame:
    """The launches with the column `until`: their end, now for those that run, the last heartbeat of others; and as the
    outcome of those without one, running or died.

    A launch without an end runs if one of the trials it holds does; one that holds none, if its heartbeat is young.

    Args:
        launches, attempts, trials: as those of `StudyFrames`.
        now: when they were read.
    """
    held = attempts[attempts["ended_at"].isna()]
    is_running = held["trial"].map(trials["state"]).eq("running")
    is_young = (now - launches["heartbeat_at"]).dt.total_seconds() < HEARTBEAT_EXPIRY_SECONDS
    ids = launches["launch_id"]
    runs = ids.isin(held["launch_id"][is_running]) | (is_young & ~ids.isin(held["launch_id"]))
    runs &= launches["ended_at"].isna()
    signs = attempts["ended_at"].fillna(attempts["started_at"]).groupby(attempts["launch_id"]).max()
    seen = signs.reindex(ids).set_axis(ids.index)  # alive between two heartbeats
    until = launches["ended_at"].fillna(launches["heartbeat_at"])
    until = until.mask(until < seen, seen).mask(runs, now)
    outcome = launches["outcome"].astype("object").fillna("died").mask(runs, "running")
    return launches.assign(until=until, outcome=outcome)


def attempts_until(attempts: pd.DataFrame, launches: pd.DataFrame) -> pd.DataFrame:
    """The attempts with the columns `until`, where they have no end that of their launch, `seconds`, `node`, and `outcome`
    running or, where their launch is not alive, launch_died.

    Args:
        attempts: as `StudyFrames.attempts`.
        launches: as `launches_until` gives them.
    """
    of_launch = launches.set_index("launch_id").reindex(attempts["launch_id"]).set_axis(attempts.index)
    is_open = attempts["ended_at"].isna()
    until = attempts["ended_at"].fillna(of_launch["until"]).fillna(attempts["started_at"])
    ends = of_launch["outcome"].eq("running").map({True: "running", False: "launch_died"})
    outcome = attempts["outcome"].astype("object").mask(is_open, ends)
    node = attempts["node"].astype("object").fillna(_only_nodes(attempts, of_launch["hostname"]))
    until = until.where(until >= attempts["started_at"], attempts["started_at"])  # it died before its next heartbeat
    seconds = (until - attempts["started_at"]).dt.total_seconds()
    return attempts.assign(until=until, seconds=seconds, outcome=outcome, node=node)


def lanes(starts: Sequence[float], ends: Sequence[float]) -> list[int]:
    """A lane for each span, so that no two in a lane overlap and as few as possible are used; the lowest free lane first.

    Args:
        starts, ends: of the spans, in any unit, in the order of their starts.
    """
    busy: list[tuple[float, int]] = []  # (end, lane)
    free: list[int] = []
    found = []
    for start, end in zip(starts, ends, strict=True):
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (end, lane))
        found.append(lane)
    return found


def _only_nodes(attempts: pd.DataFrame, hostnames: pd.Series) -> pd.Series:
    """Where attempts were that never said so (they had no epoch): on the only node their launch used, if it is one."""
    nodes = attempts.groupby("launch_id")["node"].agg(lambda names: tuple(names.dropna().unique()))
    of_launch = attempts["launch_id"].map(nodes)
    only = of_launch.map(lambda names: names[0] if len(names) == 1 else UNKNOWN_NODE)
    return only.where(of_launch.map(len) > 0, hostnames).fillna(UNKNOWN_NODE)
