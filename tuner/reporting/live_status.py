"""A study on a terminal, drawn anew about once a second from its database alone; ends of trials scroll by above.

Reads on connections of its own, in short transactions, and takes at most a twentieth of the time. A database that does not
answer for a while is told, and asked again.
"""

import contextlib
import os
import sys
import threading
import time
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live

from storage.errors import DatabaseAwayError, StorageError
from storage.reading import StudyReader
from storage.standing import Standing
from tuner.reporting.status_lines import cut, ended_line, live_lines

REFRESH_SECONDS = 1.0
_LARGEST_SHARE = 0.05  # of the time, for reading and drawing
_SHOW_CURSOR = b"\x1b[?25h\n"


class LiveStatus:
    """Shows a study on this terminal while the block lasts; its last state is left standing.

    Args:
        url: the database.
        study: the study's name.
        hint: how to end what is watched; shown while a launch is alive.
        console: the terminal; standard output when None.
    """

    def __init__(self, url: str, study: str, hint: str, console: Console | None = None) -> None:
        self._url = url
        self._study = study
        self._hint = hint
        self._console = console or Console()
        self._live = Live(
            self,
            console=self._console,
            auto_refresh=False,
            redirect_stderr=sys.stderr.isatty(),
            vertical_overflow="crop",
        )
        self._reader: StudyReader | None = None
        self._standing: Standing | None = None
        self._note = ""  # what stands between us and the database
        self._ends_told_until = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.pause = REFRESH_SECONDS

    def __enter__(self) -> "LiveStatus":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        try:
            if self._reader is not None:
                self._hint = ""
                with contextlib.suppress(StorageError):  # gone: the last state known stays
                    self.refresh()
        finally:
            self._live.stop()
            if self._reader is not None:
                self._reader.close()

    def begin(self) -> None:
        """Draw from now on, beside what the caller does. The study is in the database."""
        self.open()
        self._thread = threading.Thread(target=self._refresh_until_over, name="display", daemon=True)
        self._thread.start()

    def open(self) -> None:
        """Take the terminal; the caller calls `refresh` every `pause` seconds.

        Raises: StorageError: there is no such study, or no database.
        """
        self._reader = StudyReader(self._url)
        self._standing = self._reader.standing(self._study)
        self._ends_told_until = self._standing.read_at
        self._live.start(refresh=True)

    def say(self, line: str) -> None:
        """Print a line, above the display where there is one."""
        self._console.print(cut(line, self._console.width), highlight=False)

    def refresh(self) -> Standing:
        """Read and draw once.

        Raises: StudyNotFoundError: the study was deleted.
        """
        assert self._reader is not None and self._standing is not None, "open() makes both"
        begin = time.perf_counter()
        try:
            ended = self._reader.ended(self._standing, self._ends_told_until)
            self._standing = self._reader.standing(self._study)
            self._note = ""
        except DatabaseAwayError as error:
            ended = []
            self._note = str(error)
        metric = self._standing.space["metric"]["name"]
        for end in ended:
            self._ends_told_until = end.ended_at
            self.say(ended_line(end, metric))
        self._live.refresh()
        self.pause = max(REFRESH_SECONDS, (time.perf_counter() - begin) / _LARGEST_SHARE)
        return self._standing

    def leave(self) -> None:
        """The process ends at once: give the cursor back, past all locks."""
        self._over.set()
        if self._live.is_started:
            os.write(sys.__stdout__.fileno() if sys.__stdout__ else 1, _SHOW_CURSOR)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._standing is not None:
            notes = [note for note in (self._note, self._hint if self._standing.is_running else "") if note]
            yield from live_lines(self._standing, options.max_width, options.size.height - 1, notes)

    def _refresh_until_over(self) -> None:
        while not self._over.wait(self.pause):
            with contextlib.suppress(StorageError):  # deleted: the launch says so at its next event
                self.refresh()
