"""`tuner dashboard`: serve the pages until somebody ends it."""

import os
import signal
import threading
from collections.abc import Callable

from tuner.interrupts import Interrupted, catch_signals
from tuner.reporting.dashboard import serve


def serve_until_ended(url: str, host: str, port: int, with_optuna: bool, say: Callable[[str], None]) -> None:
    """Serve and say where, until Ctrl-C, which is how one ends it.

    Raises: InputError, StorageError: it cannot be served. SystemExit: SIGTERM.
    """
    try:
        with catch_signals(lambda: None):
            served = serve(url, host, port, with_optuna, os.environ)
            say(f"dashboard: {served.address}")
            if served.optuna is not None:
                say(f"optuna-dashboard: {served.optuna}")
            say("Ctrl-C ends it; studies go on")
            try:
                threading.Event().wait()
            finally:
                served.close()
    except Interrupted as interrupted:
        if interrupted.exit_code != 128 + signal.SIGINT:
            raise SystemExit(interrupted.exit_code) from None
