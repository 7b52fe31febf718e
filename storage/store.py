"""A study in its database: what happens to it is one SQL transaction an event, Optuna's rows and ours together.

Optuna's own calls join our transaction: its session is bound to our connection for as long as the transaction lasts, and
its commits wait for ours. After a rollback Optuna's cache would keep a ghost of what was rolled back, so its study
object is made anew.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import optuna
import sqlalchemy as sa
from sqlalchemy import Connection

from storage.engine import away_in_words, optuna_joins
from storage.errors import StudyNotFoundError
from storage.event_cache import EventCache
from storage.tables import OPTUNA_STUDIES
from storage.transaction import StudyTransaction


class StudyStore:
    """One study in one database. Made by `create_study` or for a study that is there."""

    def __init__(self, database: optuna.storages.RDBStorage, name: str) -> None:
        self._database = database
        self.name = name
        self._optuna_study: optuna.Study | None = None
        self._trial_ids: dict[int, int] = {}

    @contextmanager
    def transaction(self) -> Iterator["StudyTransaction"]:
        """All of what happens inside, or nothing. Two launches of one study take turns.

        Raises: DatabaseAwayError: the database does not answer any more. StudyNotFoundError: the study was deleted.
        """
        try:
            with (
                away_in_words(),
                self._database.engine.begin() as connection,
                optuna_joins(self._database, connection),
            ):
                if self._optuna_study is None:
                    self._optuna_study = self._load(connection)
                _lock_study(connection, self._optuna_study)
                _refuse_deleted(connection, self._optuna_study)
                yield StudyTransaction(connection, self._optuna_study, self._trial_ids)
        except BaseException:
            self._optuna_study = None
            raise

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A transaction of ours alone, beside the events: for the heartbeat.

        Raises: DatabaseAwayError: the database does not answer any more.
        """
        with away_in_words(), self._database.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self._database.scoped_session.remove()
        self._database.engine.dispose()

    def _load(self, connection: Connection) -> optuna.Study:
        try:
            return optuna.load_study(study_name=self.name, storage=EventCache(self._database, connection))
        except KeyError as error:
            raise StudyNotFoundError(_gone(self.name)) from error


def create_study(database: optuna.storages.RDBStorage, name: str, goal: Literal["maximize", "minimize"]) -> StudyStore:
    """The study of this name, made when it is not there. `goal`: maximize or minimize."""
    with away_in_words():
        optuna.create_study(study_name=name, storage=database, direction=goal, load_if_exists=True)
    return StudyStore(database, name)


def _lock_study(connection: Connection, study: optuna.Study) -> None:
    """At PostgreSQL's usual isolation two launches would not see each other's rungs; SQLite has one writer anyhow."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text("SELECT pg_advisory_xact_lock(:space, :study)"), {"space": 0x7475, "study": study._study_id}
        )


def _gone(name: str) -> str:
    return f"study {name!r} is not in the database (any more); if somebody deleted it, launch it again to begin anew"


def _refuse_deleted(connection: Connection, study: optuna.Study) -> None:
    """Somebody may have deleted the study in a dashboard while it runs; Optuna's cache would not notice."""
    columns = OPTUNA_STUDIES.c
    query = sa.select(columns.study_id).where(
        columns.study_id == study._study_id, columns.study_name == study.study_name
    )
    if connection.execute(query).one_or_none() is None:
        raise StudyNotFoundError(_gone(study.study_name))
