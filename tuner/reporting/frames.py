"""A study as pandas data frames, for notebooks."""

import html
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storage.reading import StudyReader, StudyView
from storage.standing import Standing
from storage.tables_reading import ATTEMPT_COLUMNS, DECISION_COLUMNS, LAUNCH_COLUMNS, TablesReader
from tuner.reporting.figures.style import Objective
from tuner.reporting.status_lines import status_lines
from tuner.reporting.summary import rank

_FRAMES = "frames: trials, epochs, decisions, gradient_flow, attempts, launches; also best, space"
_NOT_IN_FORCE = object()


class StudyFrames:
    """A study in a database, as data frames.

    Every attribute reads the database when it is asked for, so a running study is looked at again by asking again; keep a
    frame in a variable to go on with one reading. In every frame but `trials` the trial's number is the column `trial`,
    so that frames can be plotted and merged without touching an index. NaN and ±inf are what was recorded.

    Args:
        url: the database.
        name: the study's name.
    Raises: DatabaseUnreachableError, StudyNotFoundError: at once; and from every attribute when it is gone later.
    """

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self._study = StudyReader(url)
        self._tables = TablesReader(url, name)
        self._study.standing(name)  # a name that is not there is said now

    @property
    def space(self) -> dict[str, Any]:
        """The newest search space file, checked and with its defaults."""
        return dict(self.standing.space)

    @property
    def objective(self) -> Objective:
        """The metric by which the study searches, as figures take it."""
        return Objective(**self.space["metric"])

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial, indexed by its number.

        Columns: state (complete, pruned, failed, running, interrupted), value (the metric at the trial's best epoch; NaN
        without a finite one), best_epoch, epochs (recorded so far), attempts, reason (why it was stopped or failed), and
        params_NAME for each parameter, named as in Optuna's `trials_dataframe()`. A parameter that is not in force in a
        trial is missing there (NaN or <NA>); None is the choice `null`.
        """
        return _trials_frame(self._view())

    @property
    def best(self) -> pd.Series | None:
        """The row in `trials` with the best value, its number as the name; None before the first finite value."""
        view = self._view()
        ranked = rank(view)
        return _trials_frame(view).loc[ranked[0].trial.number] if ranked else None

    @property
    def epochs(self) -> pd.DataFrame:
        """One row an epoch: trial, epoch, and a column for each metric (NaN also where an epoch has no such metric).

        A metric that is itself called trial or epoch stands under metric_trial, metric_epoch.
        """
        return self.epochs_of()

    def epochs_of(self, trials: Collection[int] | None = None, names: Collection[str] | None = None) -> pd.DataFrame:
        """As `epochs`, only of these trials, or only with the metrics of these names."""
        table = self._tables.epochs(trials, names)
        taken = {"trial": "metric_trial", "epoch": "metric_epoch"}
        frame = pd.DataFrame(table.values_EN, columns=[taken.get(name, name) for name in table.names])
        frame.insert(0, "trial", table.trials_E)
        frame.insert(1, "epoch", table.epochs_E)
        return frame

    @property
    def decisions(self) -> pd.DataFrame:
        """One row a verdict, in the order they were taken: trial, epoch, rule, verdict, reason, value, cutoff, bracket, rung.

        value and cutoff have the metric's own sign; cutoff, bracket and rung are missing where the rule has none.
        """
        frame = pd.DataFrame(self._tables.decisions(), columns=["trial", *DECISION_COLUMNS])
        whole = {"trial": "int64", "epoch": "int64", "bracket": "Int64", "rung": "Int64"}
        return frame.astype({**whole, "value": "float64", "cutoff": "float64"})

    @property
    def attempts(self) -> pd.DataFrame:
        """One row an attempt: trial, attempt, launch_id, node, worker (process id), device, cpus, gpus, epochs_before (newest
        epoch recorded when it began), started_at, ended_at (UTC), outcome, traceback."""
        frame = pd.DataFrame(self._tables.attempts(), columns=["trial", *ATTEMPT_COLUMNS])
        whole = {
            "trial": "int64",
            "attempt": "int64",
            "launch_id": "int64",
            "worker": "Int64",
            "epochs_before": "int64",
        }
        return _with_times(frame.astype({**whole, "cpus": "float64", "gpus": "float64"}), "started_at", "ended_at")

    @property
    def launches(self) -> pd.DataFrame:
        """One row a run of the driver: launch_id, hostname, pid, started_at, heartbeat_at, ended_at (UTC), outcome, versions
        (of packages, processor and code), argv."""
        frame = pd.DataFrame(self._tables.launches(), columns=LAUNCH_COLUMNS)
        frame = frame.astype({"launch_id": "int64", "pid": "int64"})
        return _with_times(frame, "started_at", "heartbeat_at", "ended_at")

    @property
    def gradient_flow(self) -> pd.DataFrame:
        """One row a layer of an epoch: trial, epoch, layer, layer_index (0 at the input), mean_abs_gradient (mean |dL/dW|)."""
        return self.gradient_flow_of(None)

    def gradient_flow_of(self, trials: Collection[int] | None) -> pd.DataFrame:
        """As `gradient_flow`, of these trials; of a large study all of it is a lot."""
        rows = self._tables.gradient_flow(trials)
        counts = [len(flow) for *_, flow in rows]
        return pd.DataFrame({
            "trial": np.repeat(np.array([row[0] for row in rows], np.int64), counts),
            "epoch": np.repeat(np.array([row[1] for row in rows], np.int64), counts),
            "layer": pd.Series([name for _, _, layers, _ in rows for name in layers], dtype="str"),
            "layer_index": _joined([np.arange(count) for count in counts], np.int64),
            "mean_abs_gradient": _joined([flow for *_, flow in rows], np.float64),
        })  # fmt: skip

    @property
    def trials_with_gradient_flow(self) -> list[int]:
        """Numbers of the trials that recorded any."""
        return self._tables.trials_with_gradient_flow()

    @property
    def data_fingerprint(self) -> str | None:
        """Tells the data of the newest launch from other data; None where the trainer brings its own."""
        return self._tables.data_fingerprint()

    @property
    def standing(self) -> Standing:
        """States, best so far, hours spent and launches, as `tuner status` shows them."""
        return self._study.standing(self.name)

    def close(self) -> None:
        """Give all connections to the database back; asking again opens new ones."""
        self._study.close()
        self._tables.close()

    def __repr__(self) -> str:
        return "\n".join([*status_lines(self.standing), _FRAMES])

    def _repr_html_(self) -> str:
        view = self._view()
        lines = "<br>".join(html.escape(line) for line in [*status_lines(self.standing), _FRAMES])
        top = _trials_frame(view).loc[[ranked.trial.number for ranked in rank(view)[:5]]]
        return f"<p>{lines}</p>{top.to_html() if len(top) else ''}"

    def _view(self) -> StudyView:
        return self._study.study(self.name)


def _trials_frame(view: StudyView) -> pd.DataFrame:
    trials = view.trials
    numbers = pd.Index([t.number for t in trials], dtype="int64", name="number")
    best = {ranked.trial.number: ranked for ranked in rank(view)}
    columns: dict[str, Any] = {
        "state": [t.state for t in trials],
        "value": np.array([best[t.number].value if t.number in best else np.nan for t in trials], np.float64),
        "best_epoch": pd.array([best[t.number].epoch if t.number in best else None for t in trials], "Int64"),
        "epochs": np.array([len(t.values) for t in trials], np.int64),
        "attempts": np.array([t.attempts for t in trials], np.int64),
        "reason": [t.reason for t in trials],
    }
    for name in dict.fromkeys(name for t in trials for name in t.parameters):
        columns[f"params_{name}"] = _parameter_column([t.parameters.get(name, _NOT_IN_FORCE) for t in trials], numbers)
    return pd.DataFrame(columns, index=numbers)


def _parameter_column(values: Sequence[Any], numbers: pd.Index) -> pd.Series:
    """Numbers as numbers; a column with anything else as it is, so that None and true stay what they are."""
    kinds = {type(value) for value in values if value is not _NOT_IN_FORCE}
    if kinds == {int}:
        return pd.Series([None if value is _NOT_IN_FORCE else value for value in values], numbers, "Int64")
    plain = [np.nan if value is _NOT_IN_FORCE else value for value in values]
    return pd.Series(plain, numbers, "float64" if kinds <= {int, float} else "object")


def _joined(arrays: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.array([], dtype)


def _with_times(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The frame with these columns, unix seconds, as times."""
    return frame.assign(**{name: pd.to_datetime(frame[name].astype("float64"), unit="s", utc=True) for name in names})
