"""Clocks and counters for what is measured: wall time, SQL statements, and what a sampler takes without Optuna's storage."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

import tuner.sampling
from storage.event_cache import EventCache


class Costs:
    """What was measured: name -> milliseconds of each time; and the SQL statements of the last time."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = defaultdict(list)
        self.statements: dict[str, int] = {}
        self._count = 0
        sa.event.listen(sa.engine.Engine, "before_cursor_execute", self._statement)

    def measure(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the function and note what that cost."""
        before, begin = self._count, time.perf_counter()
        answer = function(*arguments)
        self.ms[name].append((time.perf_counter() - begin) * 1000)
        self.statements[name] = self._count - before
        return answer

    def close(self) -> None:
        """Count no more."""
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", self._statement)

    def _statement(self, *_: Any) -> None:
        self._count += 1


class Stopwatch:
    """Milliseconds spent inside some functions; one that calls another of them counts once."""

    def __init__(self) -> None:
        self.ms = 0.0
        self._depth = 0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its time counted."""

        def run(*arguments: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            self._depth += 1
            try:
                return function(*arguments, **options)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.ms += (time.perf_counter() - begin) * 1000

        return run


class SamplersOwn:
    """`ms`: what the newest proposal took, less the time inside Optuna's storage. Put in place once in a process."""

    def __init__(self) -> None:
        self.ms = 0.0
        stored = Stopwatch()
        for name in dir(EventCache):
            if callable(method := getattr(EventCache, name)) and not name.startswith("_"):
                setattr(EventCache, name, stored.timed(method))
        propose_untimed = tuner.sampling.propose

        def propose(*arguments: Any, **options: Any) -> Any:
            before, begin = stored.ms, time.perf_counter()
            proposal = propose_untimed(*arguments, **options)
            self.ms = (time.perf_counter() - begin) * 1000 - (stored.ms - before)
            return proposal

        tuner.sampling.propose = propose
