"""How a study stands, as lines of text: for `tuner status`, and cut to a terminal's size for the live display."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from storage.standing import EndedAttempt, Standing
from tuner.events import AttemptEnd
from tuner.reporting.summary import hours_left, value_words

WHAT_ENDED = {
    AttemptEnd.RAISED.value: "broke",
    AttemptEnd.TIMED_OUT.value: "hung",
    AttemptEnd.OUT_OF_MEMORY.value: "ran out of memory",
    AttemptEnd.OUT_OF_DEVICE_MEMORY.value: "ran out of its device's memory",
    AttemptEnd.WORKER_LOST.value: "lost its worker",
    AttemptEnd.NODE_LOST.value: "lost its machine",
    AttemptEnd.EVICTED.value: "was evicted",
}
_MOST_RUNGS = 8
ENDED_LAUNCH = {
    "finished": "finished; raise the budget to go on",
    "stopped": "stopped as somebody asked; tuner resume goes on",
    "interrupted": "interrupted; launch again to go on",
    "failed": "ended with an error; launch again to go on",
}


def all_lines(study: Standing) -> list[str]:
    """Everything, uncut."""
    return [*status_lines(study), *rung_lines(study), *running_lines(study)]


def live_lines(study: Standing, width: int, height: int, notes: Sequence[str] = ()) -> list[Text]:
    """What fits into a terminal: no line is wider than `width` cells, and there are at most `height`.

    Where not all fits, the rungs go first, then running trials, who are counted instead.

    Args:
        study: how the study stands.
        width, height: of the terminal, in cells.
        notes: lines to close with.
    """
    head, rungs, running = list(status_lines(study)), rung_lines(study), running_lines(study, width)
    room = height - len(head) - len(notes)
    if len(rungs) > room - min(len(running), 4):  # a heading, two trials, and how many more
        rungs = []
    room -= len(rungs)
    if len(running) > room:
        shown = max(room - 1, 0)
        hidden = len(running) - max(shown, 1)
        running = [*running[:shown], f"… and {hidden} more" if shown else f"{hidden} trials are running"]
    lines = [*head, *rungs, *running, *notes][:height]
    headings = (
        {1: "bold", len(head) + 1: "dim", len(head) + len(rungs) + 1: "dim"} if len(lines) > len(head) else {1: "bold"}
    )
    return [cut(line, width, headings.get(number, "")) for number, line in enumerate(lines, start=1)]


def cut(line: str, width: int, style: str = "") -> Text:
    """The line in at most `width` cells, with … where something is missing. Control characters become spaces."""
    text = Text("".join(c if c.isprintable() else " " for c in line), style=style, no_wrap=True, overflow="ellipsis")
    text.truncate(width, overflow="ellipsis")
    return text


def status_lines(study: Standing) -> Iterator[str]:
    """States, best so far, time, GPUs, launches."""
    metric, budget = study.space["metric"]["name"], study.space["budget"]
    counts = ", ".join(f"{count} {state}" for state, count in study.trials.items() if count) or "none yet"
    limit = f" of {budget['trials']}" if budget.get("trials") is not None else ""
    yield f"study {study.name}: {sum(study.trials.values())}{limit} trials: {counts}"
    best = study.best
    if best is not None:
        yield f"best so far: {metric} {best.value:.4f} at epoch {best.epoch} of trial {best.trial} ({best.state})"
        yield f"its configuration: {_words(best.parameters)}"
    left = hours_left(study)
    left_words = "" if not left else f", at most {duration(left)} left"
    yield f"time: {duration(study.hours)} spent{left_words}, {_rate(study.epochs_per_hour)}"
    if study.gpu_hours or budget.get("gpu_hours") is not None:
        yield _spent("GPU", study.gpu_hours, budget.get("gpu_hours"))
    if budget.get("cpu_hours") is not None:
        yield _spent("CPU", study.cpu_hours, budget["cpu_hours"])
    for launch in study.launches:
        word = "starting Ray …" if not launch.begun else "alive"
        died = "died; launch again to go on with its trials"
        yield f"launch: process {launch.pid} on {launch.hostname}, {word if launch.alive else died}"
    if not study.launches and study.last_outcome in ENDED_LAUNCH:
        yield f"launch: {ENDED_LAUNCH[study.last_outcome]}"


def _spent(what: str, hours: float, limit: float | None) -> str:
    left = "" if limit is None else f", {duration(max(0.0, limit - hours))} of {limit:g} h left"
    return f"{what} time: {duration(hours)} spent{left}"


def rung_lines(study: Standing) -> list[str]:
    """Who was compared where, under a heading; empty when nobody was."""
    newest = study.rungs[-_MOST_RUNGS:]  # the rule median has one at every epoch
    rows = [
        (str(r.epoch), str(r.compared), str(r.went_on), "-" if r.cutoff is None else f"{r.cutoff:.4f}") for r in newest
    ]
    if len(newest) < len(study.rungs):
        rows.insert(0, ("…", "", "", ""))
    return _aligned([("rung (epoch)", "compared", "went on", "cut-off"), *rows]) if rows else []


def running_lines(study: Standing, width: int | None = None) -> list[str]:
    """Running trials, under a heading; empty when there are none. Within a width, parameters are cut for the place."""
    if not study.running:
        return []
    epochs = study.space["settings"]["epochs"]
    several_nodes = len({trial.node for trial in study.running if trial.node}) > 1
    places = [" ".join(filter(None, (t.node if several_nodes else None, t.device))) for t in study.running]
    rows = [(str(t.number), f"{t.epoch}/{epochs}", "-" if t.value is None else f"{t.value:.4f}") for t in study.running]
    beginnings = _aligned([("running trial", "epoch", "newest"), *rows])
    parameters = ["parameters", *(_words(t.parameters) for t in study.running)]
    lines = []
    for beginning, words, place in zip(beginnings, parameters, ["", *places], strict=True):
        ending = f"  {place}" if place else ""
        if width is None:
            lines.append(f"{beginning}  {words}{ending}")
            continue
        room = width - len(beginning) - 2 - len(ending)
        if room < 16:  # the parameters say more than the place
            room, ending = room + len(ending), ""
        shown = cut(words, max(room, 1))
        lines.append(f"{beginning}  {shown.plain}{' ' * (room - shown.cell_len if ending else 0)}{ending}")
    return lines


def ended_line(ended: EndedAttempt, metric: str) -> str:
    """How an attempt ended."""
    trial = f"trial {ended.trial:3d}"
    if ended.outcome == "finished" and ended.best is not None:
        return f"{trial} complete: {metric} {ended.best[0]:.4f} at epoch {ended.best[1]}"
    if ended.outcome == "suspended":
        return f"{trial} suspended after epoch {ended.epoch}: {ended.reason or 'raise the budget and launch again to go on'}"
    words = f"{WHAT_ENDED[ended.outcome]}, will be tried again" if ended.state == "interrupted" else ended.state
    return f"{trial} {words} after epoch {ended.epoch}: {ended.reason}"


def duration(hours: float) -> str:
    """A time that people can read: 2 h 05 min."""
    minutes, seconds = divmod(round(hours * 3600), 60)
    whole_hours, minutes = divmod(minutes, 60)
    return f"{whole_hours} h {minutes:02d} min" if whole_hours else f"{minutes} min {seconds:02d} s"


def _rate(epochs_per_hour: float) -> str:
    return f"{epochs_per_hour / 3600:.1f} epochs/s" if epochs_per_hour >= 3600 else f"{epochs_per_hour:.0f} epochs/h"


def _words(parameters: Any) -> str:
    return ", ".join(f"{name} {value_words(value)}" for name, value in parameters.items()) or "all values fixed"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart, each flush right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
