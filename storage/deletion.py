"""Deleting a study: all its rows, Optuna's and ours, in one transaction."""

import optuna

from storage import launches
from storage.checkpoints import locations_in_use
from storage.engine import open_existing
from storage.errors import StudyBusyError
from storage.store import StudyStore


def delete_study(url: str, name: str) -> list[str]:
    """Delete a study that no launch is working on; returns where its checkpoints are, whose files are of no use now.

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
            locations = locations_in_use(transaction.connection, transaction.study_id)
            optuna.delete_study(study_name=name, storage=database)
            return sorted(locations)
    finally:
        store.close()
