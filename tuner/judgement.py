"""What the figures of an epoch come to: broken, the last ones, compared with other trials at a rung, or nothing yet."""

import logging
import math
from collections.abc import Mapping

from storage.transaction import DecisionRecord, StudyTransaction, TrialRecord
from tuner.events import Decision, EpochReport, Outcome, no_metric
from tuner.rungs import rule_of
from tuner.search_space import SearchSpace, best_value

log = logging.getLogger(__name__)


class Judgement:
    """Records epochs and judges them by the rules of one search space, inside the study's events."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self.rule = rule_of(space)

    def record(self, transaction: StudyTransaction, trial: TrialRecord, report: EpochReport) -> Decision:
        """Record a new epoch and judge it. The first record of an epoch stands: one that is run again goes on as it did."""
        recorded = transaction.metrics(trial, report.epoch)
        if recorded:
            self._tell_difference(trial, report, recorded)
            return Decision(Outcome.GO_ON)
        value = report.metrics.get(self._space.metric.name)
        if value is None:
            return Decision(Outcome.FAILED, no_metric(self._space.metric.name, report))
        before = transaction.last_epoch(trial)
        transaction.record_epoch(trial, report.epoch, value, report.metrics)
        if report.gradient_flow:
            transaction.record_gradient_flow(trial, report.epoch, report.gradient_flow)
        return self._judge(transaction, trial, report, value, before)

    def _judge(
        self, transaction: StudyTransaction, trial: TrialRecord, report: EpochReport, value: float, before: int
    ) -> Decision:
        broken = [name for name, figure in report.metrics.items() if not math.isfinite(figure)]
        if broken and "not_finite" in self._space.stop_when:
            reason = f"{broken[0]} is {report.metrics[broken[0]]} after epoch {report.epoch}"
            transaction.record_decision(trial, DecisionRecord(report.epoch, "not_finite", "stop", reason, value))
            return Decision(Outcome.PRUNED, reason)
        if report.epoch >= self._space.epochs:
            return Decision(Outcome.COMPLETE, "all epochs done")
        # a trainer that reports every few epochs passes rungs: the highest counts, as in Ray's ASHA
        passed = [rung for rung in self.rule.rungs(trial.bracket) if before < rung <= report.epoch]
        if passed:
            return self._compare_at_rung(transaction, trial, report.epoch, passed[-1], value)
        return Decision(Outcome.GO_ON)

    def _compare_at_rung(
        self, transaction: StudyTransaction, trial: TrialRecord, epoch: int, rung: int, value: float
    ) -> Decision:
        goal = self._space.metric.goal
        if self.rule.compares_best:
            best = best_value(transaction.epoch_values(trial), goal)
            value = value if best is None else best
        sign = -1.0 if goal == "maximize" else 1.0
        earlier = transaction.rung_values(self.rule.name, trial.bracket, rung, goal)
        verdict = self.rule.decide(sign * value, earlier)
        cutoff = None if verdict.cutoff is None else sign * verdict.cutoff
        reason = f"rung {rung}: {self._space.metric.name} {value:.4g} is {verdict.reason}"
        if cutoff is not None:
            reason += f" (cut-off {cutoff:.4g})"
        transaction.record_decision(
            trial,
            DecisionRecord(
                epoch, self.rule.name, "stop" if verdict.stop else "go on", reason, value, trial.bracket, rung, cutoff
            ),
        )
        return Decision(Outcome.PRUNED if verdict.stop else Outcome.GO_ON, reason)

    def _tell_difference(self, trial: TrialRecord, report: EpochReport, recorded: Mapping[str, float]) -> None:
        name = self._space.metric.name
        before, again = recorded.get(name, math.nan), report.metrics.get(name, math.nan)
        if before != again and not (math.isnan(before) and math.isnan(again)):
            log.warning(
                "trial %d, epoch %d was run again and gave %s %s; the first record, %s, stands",
                trial.number,
                report.epoch,
                name,
                again,
                before,
            )
