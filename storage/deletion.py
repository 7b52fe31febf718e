"""Deleting a study: all its rows, Optuna's and ours, in one transaction."""

import optuna

from storage import launches
from storage.engine import open_existing
from storage.errors import StudyBusyError
from storage.store import StudyStore


def delete_study(url: str, name: str) -> None:
    """Delete a study that no launch is working on.

    Raises: StudyNotFoundError: there is none. StudyBusyError: a launch of it is alive.
    """
    database = open_existing(url)
    store = StudyStore(database, name)
    try:
        with store.transaction() as transaction:
            for launch in launches.open_launches(transaction.connection, transaction.study_id):
                if launch.is_alive():
                    raise StudyBusyError(
                        f"study {name!r} is being run by process {launch.identity.pid} on {launch.identity.hostname}; "
                        "end it first, then delete the study"
                    )
            optuna.delete_study(study_name=name, storage=database)
    finally:
        store.close()
