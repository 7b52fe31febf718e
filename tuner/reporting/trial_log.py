"""The log of one trial as lines of text: what was decided and why, where it ran, what it printed, why it broke."""

from collections.abc import Iterator
from datetime import UTC, datetime

from storage.trial_log import AttemptLog, DecisionLog, TrialLog
from tuner.reporting.summary import value_words


def log_lines(log: TrialLog) -> Iterator[str]:
    """The trial, its decisions, then each attempt with its output and traceback."""
    trial = log.trial
    chosen = ", ".join(f"{name} {value_words(value)}" for name, value in trial.parameters.items()) or "all values fixed"
    yield f"trial {trial.number}: {trial.state}{f', {trial.reason}' if trial.reason else ''}"
    yield f"configuration: {chosen}"
    if trial.values:
        newest = max(trial.values)
        yield f"epochs: {newest}, newest value {trial.values[newest]:.4g}"
    yield ""
    yield "decisions" if log.decisions else "decisions: none"
    yield from (_decision_line(decision) for decision in log.decisions)
    for attempt in log.attempts:
        yield ""
        yield _attempt_line(attempt)
        yield from (f"  {line}" for line in attempt.output.splitlines())
        yield from (f"  {line}" for line in attempt.traceback.splitlines())


def _decision_line(decision: DecisionLog) -> str:
    return f"  epoch {decision.epoch:4d}  {decision.rule}: {decision.verdict}: {decision.reason}"


def _attempt_line(attempt: AttemptLog) -> str:
    began = datetime.fromtimestamp(attempt.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    where = f" on {attempt.node}, process {attempt.worker}, {attempt.device}" if attempt.node else ""
    return f"attempt {attempt.attempt}: {attempt.outcome or 'running'}, began {began}, {attempt.seconds:.0f} s{where}"
