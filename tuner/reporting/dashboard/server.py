"""Both pages over HTTP: sockets, the door, and waitress, whose threads answer until the process ends."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import waitress

from storage.engine import mask_passwords, parse_url
from tuner.errors import InputError
from tuner.reporting.dashboard.app import Surroundings, make_app
from tuner.reporting.dashboard.door import Application, Door, is_loopback
from tuner.reporting.dashboard.reading import Readings

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

PASSWORD = "TUNER_DASHBOARD_PASSWORD"
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Served:
    """Where the pages are: addresses as a browser takes them, `optuna` None where it was not asked for. `close` gives the
    database's connections back."""

    address: str
    optuna: str | None
    close: Callable[[], None]


def serve(url: str, host: str, port: int, with_optuna: bool, environment: Mapping[str, str]) -> Served:
    """Answer from now on, in threads that end with the process.

    Args:
        url: the database.
        host: a name or address of this machine.
        port: 0: a free one. optuna-dashboard has the next, or a free one.
        with_optuna: serve optuna-dashboard too.
        environment: TUNER_DASHBOARD_PASSWORD in it is asked of everybody.
    Raises: InputError: no password for an address that others reach, or it cannot be listened on. StorageError: no database.
    """
    password = environment.get(PASSWORD) or None
    if password is None and not is_loopback(host):
        raise InputError(
            f"dashboard: {host} can be reached by others, who could then stop studies; set a password in the environment "
            f"variable {PASSWORD}, or leave --host out"
        )
    readings = Readings(url)
    listening = _listen(host, port)
    others = _listen(host, port and port + 1) if with_optuna else None
    optuna_port = None if others is None else int(others.getsockname()[1])
    app = make_app(readings, Surroundings(mask_passwords(url), optuna_port))
    _answer(listening, Door(app.server, host, password))
    if others is None:
        return Served(_address(host, listening), None, readings.close)
    storage = _optuna_storage(url)
    _answer(others, Door(_optuna_dashboard(storage), host, password))

    def close() -> None:
        readings.close()
        storage.engine.dispose()

    return Served(_address(host, listening), _address(host, others), close)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that nobody else listens on."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        why = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise InputError(
            f"dashboard: {host}:{port} cannot be listened on ({why}); name another with --port or --host; --port 0 takes a free one"
        ) from error


def _answer(listening: socket.socket, application: Application) -> None:
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns of every request that waits for a thread
    server = waitress.create_server(application, map={}, sockets=[listening], threads=_THREADS, ident=None)
    threading.Thread(target=server.run, daemon=True).start()


def _optuna_storage(url: str) -> "RDBStorage":
    """With connections of its own: ours take the write lock for all but our own readings."""
    from optuna.storages import RDBStorage

    return RDBStorage(parse_url(url).render_as_string(hide_password=False), skip_table_creation=True)


def _optuna_dashboard(storage: "RDBStorage") -> Application:
    import optuna_dashboard

    application: Application = optuna_dashboard.wsgi(storage)
    return application


def _address(host: str, listening: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/"
