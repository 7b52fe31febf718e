"""The early-stopping rule that a search space asks for, and in words what it will do: told before the first trial."""

from collections.abc import Iterator

from tuner.early_stopping import EarlyStoppingRule, expected_rungs, make_rule
from tuner.errors import SettingError
from tuner.search_space import SearchSpace
from tuner.yaml_source import locate

_TRIALS_WITHOUT_A_LIMIT = 100


def rule_of(space: SearchSpace) -> EarlyStoppingRule:
    """The rule of a search space.

    Raises: InputError: its numbers make no ladder of rungs; file, line and key.
    """
    stopping = space.early_stopping
    try:
        return make_rule(
            stopping.name,
            stopping.min_epochs,
            space.epochs,
            reduction_factor=stopping.reduction_factor,
            brackets=stopping.brackets,
            min_trials=stopping.min_trials,
        )
    except SettingError as error:
        raise locate(space.source, error, ("early_stopping",)) from error


def rung_lines(space: SearchSpace) -> Iterator[str]:
    """The rule, and about how many trials it will let through at each rung."""
    rule = rule_of(space)
    num_trials = space.budget.trials or _TRIALS_WITHOUT_A_LIMIT
    yield f"early stopping {rule.name}: {rule.words()}"
    expected = expected_rungs(rule, num_trials)
    if not expected:
        return
    if rule.compares_best:  # at every epoch: a line each would be a page
        yield f"  compared after every epoch from {expected[0].epoch} to {expected[-1].epoch} of {space.epochs}"
        return
    yield f"  of {num_trials} trials, about:"
    for rung in expected:
        yield f"  rung at epoch {rung.epoch:4d} of {space.epochs}: {rung.compared:.0f} compared, {rung.go_on:.0f} go on"
