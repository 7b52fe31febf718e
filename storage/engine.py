"""Opening a database: engines for SQLite and PostgreSQL, schema creation, and passwords kept out of every message."""

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError

from storage.errors import DatabaseAwayError, DatabaseUnreachableError, StorageError
from storage.network_disks import network_mount
from storage.tables import OPTUNA_STUDIES, OPTUNA_TRIALS

optuna.logging.set_verbosity(optuna.logging.ERROR)  # it tells of each study it makes and each independent sample

VERSION_TABLE = "tuner_alembic_version"
_BUSY_SECONDS = 30
_AWAY_STATES = ("25006", "25P03")  # read-only transaction; idle in transaction for too long
# a server that is out of reach is noticed within a minute, not after the two hours that TCP allows; a URL may say otherwise
_POSTGRESQL = {"connect_timeout": 10, "keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3,
               "tcp_user_timeout": 30_000}  # fmt: skip
_MIGRATION_LOCK = 0x74756E6572  # "tuner"


def mask_passwords(words: str) -> str:
    """The text with every password inside a URL replaced by ***: before the host, and in the query."""
    before_host = re.sub(r"(\w[\w+.-]*://[^\s:/@]*):[^\s/]*@", r"\1:***@", words)
    return re.sub(r"([?&]password=)[^\s&]*", r"\1***", before_host)


@contextmanager
def away_in_words() -> Iterator[None]:
    """Turn a driver's complaint inside the block into ours.

    Raises: DatabaseAwayError: the database does not answer, or could not do what was asked.
    """
    try:
        yield
    except (
        *(DBAPIError, optuna.exceptions.StorageInternalError),
        sqlite3.OperationalError,  # while rows are fetched from the driver
    ) as error:
        if not _is_away(error):
            raise
        first = _first_complaint(error)
        words = mask_passwords(str(getattr(first, "orig", None) or first).splitlines()[0])
        raise DatabaseAwayError(
            f"the database does not answer: {words}; the study can be gone on with when it does"
        ) from error


def _is_away(error: BaseException) -> bool:
    """Whether the database, not what was asked of it, is the trouble. PostgreSQL says so in ways that are no OperationalError
    when it has become a stand-by server, or has ended a transaction that slept."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return (
        not isinstance(error, DBAPIError)
        or isinstance(error, OperationalError | InterfaceError)
        or state in _AWAY_STATES
    )


def _first_complaint(error: BaseException) -> BaseException:
    """The driver's, behind what failed only because the transaction was over by then, and behind Optuna's words for it."""
    first, before = error, error.__cause__ or error.__context__
    while before is not None:
        if isinstance(before, DBAPIError):
            first = before
        before = before.__cause__ or before.__context__
    return first


@contextmanager
def optuna_joins(database: optuna.storages.RDBStorage, connection: Connection) -> Iterator[None]:
    """Optuna's calls inside the block are part of the connection's transaction: its commits wait for ours, its rollbacks end it.

    Savepoints would let an event go on after a call of Optuna's that failed, and cost two statements for each call.
    """
    sessions = database.scoped_session
    sessions.remove()
    sessions.configure(bind=connection, join_transaction_mode="rollback_only")
    try:
        yield
    finally:
        sessions.remove()
        sessions.configure(bind=database.engine, join_transaction_mode="conditional_savepoint")


@contextmanager
def _opening(url: URL) -> Iterator[None]:
    """A database that is there but cannot be used: damaged, or with tables of another version of Optuna."""
    try:
        with away_in_words():
            yield
    except DatabaseAwayError as error:
        words = str(error.__cause__.orig if isinstance(error.__cause__, OperationalError) else error).splitlines()[0]
        raise DatabaseUnreachableError(f"storage: {_shown(url)} cannot be used: {mask_passwords(words)}") from error
    except (DatabaseError, RuntimeError) as error:
        words = mask_passwords(str(getattr(error, "orig", None) or error).splitlines()[0])
        raise DatabaseUnreachableError(f"storage: {_shown(url)} cannot be used: {words}") from error


def _shown(url: URL) -> str:
    return mask_passwords(url.render_as_string())


def parse_url(url: str) -> URL:
    """The URL of a database we can use.

    Raises: DatabaseUnreachableError: not a URL, or of another kind of database; or no SQLite file can be in its folder.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise DatabaseUnreachableError(
            f"storage: {mask_passwords(url)!r} is no database URL; write sqlite:///FILE.db or "
            "postgresql+psycopg://USER@HOST/DATABASE"
        ) from error
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise DatabaseUnreachableError(
            f"storage: {kind} is not supported; use sqlite:///FILE.db or postgresql+psycopg://USER@HOST/DATABASE"
        )
    if kind == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")  # the driver that is installed with the product
    if kind == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise DatabaseUnreachableError(
                "storage: a database in memory is forgotten at once; write sqlite:///FILE.db"
            )
        folder = Path(parsed.database).parent
        if not folder.is_dir():
            raise DatabaseUnreachableError(f"storage: folder {folder} does not exist; make it or name another file")
    return parsed


def open_existing(url: str, *, older: bool = False) -> optuna.storages.RDBStorage:
    """Open a database that a launch has made; reads only, makes and changes nothing.

    Args:
        older: also one with tables of an older version, which the next launch will upgrade.
    Raises: DatabaseUnreachableError: nothing there, nobody answers, or a database without our tables. StorageError: its
        tables are of another version.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).is_file():
        raise DatabaseUnreachableError(
            f"storage: {parsed.database} does not exist; name the database of a launch with "
            "--storage, or launch a study first"
        )
    _check_reachable(parsed)
    with _opening(parsed):
        found = _schema_version(parsed)  # before Optuna opens it, which would write into a database without its tables
        if found is None:
            raise DatabaseUnreachableError(f"storage: {_shown(parsed)} holds no study of ours; launch one first")
        _refuse_newer(found)
        if found != _head() and not older:
            raise StorageError(
                f"storage: {_shown(parsed)} has tables of an older version (schema {found}, not {_head()}); "
                "launch a study in it again: that upgrades them and loses nothing"
            )
        return _connect(parsed)


def studies_of_others(url: str) -> set[str]:
    """Names of studies with trials in a database that has Optuna's tables and none of ours; reads only.

    Raises: DatabaseUnreachableError: nobody answers there.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).is_file():
        return set()  # connecting would make the file
    _check_reachable(parsed)
    engine = create_engine(parsed)
    try:
        with _opening(parsed), engine.connect() as connection:
            if not inspect(connection).has_table(OPTUNA_STUDIES.name):
                return set()
            query = select(OPTUNA_STUDIES.c.study_name).where(
                OPTUNA_STUDIES.c.study_id.in_(select(OPTUNA_TRIALS.c.study_id))
            )
            return set(connection.execute(query).scalars())
    finally:
        engine.dispose()


def open_for_launch(url: str) -> optuna.storages.RDBStorage:
    """Open a database, making or upgrading Optuna's tables and ours, under a lock.

    Raises: DatabaseUnreachableError: nobody answers there. StorageError: the database is of a newer version.
    """
    parsed = parse_url(url)
    _check_reachable(parsed)
    with _opening(parsed), _migration_lock(parsed):
        found = _schema_version(parsed)
        _refuse_newer(found)
        storage = _connect(parsed, create_tables=True)
        if found != _head():
            upgrade(storage.engine)
    return storage


def check_can_launch(url: str) -> None:
    """Say before anything is started whether the database can be reached and may be written to; makes nothing.

    Raises: DatabaseUnreachableError.
    """
    parsed = parse_url(url)
    _check_reachable(parsed)
    network = network_mount(Path(str(parsed.database))) if parsed.get_backend_name() == "sqlite" else None
    if network is not None:
        raise DatabaseUnreachableError(
            f"storage: {parsed.database} lies on a network file system ({network[0]} at {network[1]}), where SQLite's locks do "
            "not hold and a database gets damaged; name a file on a disk of this machine, or use PostgreSQL: "
            "--storage postgresql+psycopg://USER@HOST/DATABASE"
        )


def upgrade(engine: Engine) -> None:
    """Bring our tables to the newest revision."""
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings, with the connection to use."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _connect(url: URL, *, create_tables: bool = False) -> optuna.storages.RDBStorage:
    # Optuna makes its engine itself and runs statements at once, so the hooks are set for all SQLite connections below
    arguments: dict[str, Any] = {"connect_args": {"timeout": _BUSY_SECONDS}}
    if url.get_backend_name() == "postgresql":
        said = {name: value for name, value in _POSTGRESQL.items() if name not in url.query}
        arguments = {"pool_pre_ping": True, "connect_args": said}
    storage = optuna.storages.RDBStorage(
        url.render_as_string(hide_password=False), engine_kwargs=arguments, skip_table_creation=not create_tables
    )
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(storage.engine, lasting=create_tables)
    return storage


def _prepare_sqlite(engine: Engine, *, lasting: bool) -> None:
    """Write-ahead log, short waits instead of errors, and transactions that take their write lock at the start: one that
    reads first and writes later can fail at once, without waiting, when another wrote between."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        if lasting:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={os.environ.get('TUNER_SQLITE_SYNCHRONOUS', 'NORMAL')}")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    engine.dispose()  # connections made before the hooks


def _check_reachable(url: URL) -> None:
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        if path.is_dir():
            raise DatabaseUnreachableError(f"storage: {path} is a folder; name a file")
        if path.is_file() and not _is_sqlite(path):
            raise DatabaseUnreachableError(f"storage: {path} is no SQLite database; name another file")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise DatabaseUnreachableError(f"storage: {path} cannot be written; change its rights or name another file")
        return
    import psycopg

    try:
        psycopg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False), connect_timeout=5
        ).close()
    except psycopg.Error as error:
        reason = mask_passwords(str(error).strip().splitlines()[0])
        raise DatabaseUnreachableError(f"storage: {_shown(url)} cannot be reached: {reason}") from None


def _is_sqlite(path: Path) -> bool:
    """Asked through SQLite, never by opening the file: closing it would drop all locks that this process holds on it, and the
    next process to close the database would delete the write-ahead log that a launch here still writes to."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError:  # then nobody here works on it; a damaged database is told from another file
        with open(path, "rb") as file:
            return file.read(15) in (b"", b"SQLite format 3")
    finally:
        connection.close()
    return True


@contextmanager
def _migration_lock(url: URL) -> Iterator[None]:
    """One process at a time makes or changes tables; the lock ends with its process."""
    if url.get_backend_name() == "sqlite":
        folder = os.open(Path(str(url.database)).parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
        return
    import psycopg

    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
        yield


def _schema_version(url: URL) -> str | None:
    """Revision of our tables, None when there are none."""
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return None  # connecting would make the file
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    finally:
        engine.dispose()


def _refuse_newer(found: str | None) -> None:
    known = {revision.revision for revision in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if found is not None and found not in known:
        raise StorageError(
            f"storage: the database has schema {found}, made by a newer version of this product than the one "
            f"installed (which knows up to {_head()}); install that version"
        )


def _head() -> str | None:
    return ScriptDirectory.from_config(alembic_config()).get_current_head()
