"""Asking a study, or one trial of it, to stop: from any machine that reaches its database."""

import getpass
import os
import socket

from storage import launches
from storage.engine import open_existing
from storage.errors import NothingToStopError
from storage.requests import ask_to_stop
from storage.store import StudyStore


def request_stop(url: str, study: str, trial: int | None = None) -> str:
    """Write the request; returns what will come of it, in words.

    Raises: StudyNotFoundError: no such study. NothingToStopError.
    """
    who = f"{_user()} on {socket.gethostname()}"
    store = StudyStore(open_existing(url), study)
    try:
        with store.transaction() as transaction:
            alive = [x for x in launches.open_launches(transaction.connection, transaction.study_id) if x.is_alive()]
            where = ", ".join(f"process {x.identity.pid} on {x.identity.hostname}" for x in alive)
            found = None if trial is None else transaction.trial(trial)
            if trial is None and not alive:
                raise NothingToStopError(f"stop: no launch of study {study!r} is running; there is nothing to stop")
            if trial is not None and (found is None or found.status == "ended"):
                what = "has ended already" if found else "is not there"
                raise NothingToStopError(
                    f"stop: trial {trial} of study {study!r} {what}; tuner status {study} shows what runs"
                )
            ask_to_stop(transaction.connection, transaction.study_id, found.trial_id if found else None, who)
    finally:
        store.close()
    if trial is None:
        return f"asked: {where} ends each running trial after its epoch; tuner resume {study} goes on"
    when = f"{where} ends it after its epoch" if where else "it will be ended when the study is gone on with"
    return f"asked: trial {trial} of study {study!r}: {when}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"
