import math
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tuner.early_stopping import Asha, ExpectedRung, Median, expected_rungs, make_rule, rung_levels
from tuner.errors import InputError


def ranked(*values: float) -> list[float]:
    """What a rung holds, as rules are given it."""
    return sorted(value for value in values if not math.isnan(value))


@pytest.mark.parametrize(
    ("min_epochs", "max_epochs", "eta", "levels"),
    [
        (1, 243, 3, (1, 3, 9, 27, 81, 243)),  # log(243) / log(3) is 4.999…: counted with it, 243 would be lost
        (1, 242, 3, (1, 3, 9, 27, 81)),
        (10, 100, 3, (10, 30, 90)),
        (1, 1000, 10, (1, 10, 100, 1000)),
        (5, 5, 3, (5,)),
    ],
)
def test_rungs_are_counted_by_multiplication(
    min_epochs: int, max_epochs: int, eta: int, levels: tuple[int, ...]
) -> None:
    assert rung_levels(min_epochs, max_epochs, eta) == levels


@pytest.mark.parametrize("arguments", [(0, 9, 3), (10, 9, 3), (1, 9, 1)])
def test_numbers_that_make_no_ladder_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(InputError):
        rung_levels(*arguments)


def test_nobody_is_compared_at_the_last_epoch() -> None:
    assert Asha(1, 27).rungs(0) == (1, 3, 9)
    assert Asha(1, 26).rungs(0) == (1, 3, 9)
    assert Asha(1, 28).rungs(0) == (1, 3, 9, 27)


def test_the_cut_off_is_a_percentile_of_the_earlier_values() -> None:
    rule = Asha(1, 27, reduction_factor=3)
    first = rule.decide(5.0, ranked())
    assert (first.stop, first.cutoff) == (False, None)
    # earlier 1, 2, 3, 4: a third from the best is at position 3 * 1/3 = 1, so 2
    assert rule.decide(2.0, ranked(4.0, 3.0, 2.0, 1.0)).stop is False
    assert rule.decide(2.1, ranked(4.0, 3.0, 2.0, 1.0)).stop is True
    assert rule.decide(2.1, ranked(4.0, 3.0, 2.0, 1.0)).cutoff == pytest.approx(2.0)
    assert rule.decide(9.0, ranked(math.nan)).stop is False
    assert rule.decide(9.0, ranked(math.inf, 1.0, math.inf, math.inf)).stop is False
    assert rule.decide(math.inf, ranked(math.inf, 1.0, 2.0, 3.0)).stop is True
    assert rule.decide(math.nan, ranked(1.0)).stop is True


@pytest.mark.parametrize("eta", [2, 3, 4, 7])
@pytest.mark.parametrize("infinite", [(), (math.inf,), (-math.inf, math.inf)])
def test_the_cut_off_is_to_the_last_bit_what_numpy_makes_of_all_values(eta: int, infinite: tuple[float, ...]) -> None:
    rng = np.random.default_rng(eta)
    rule = Asha(1, 27, reduction_factor=eta)
    for count in range(1, 200):
        values = [*np.round(rng.normal(0, 1, count), int(rng.integers(1, 17))).tolist(), *infinite]
        method = "lower" if infinite else "linear"
        theirs = -np.percentile([-value for value in values], (1 - 1 / eta) * 100, method=method)
        assert rule.decide(0.0, ranked(*values)).cutoff == theirs


class Looks(list[float]):
    """Counts how many values are looked at."""

    looks = 0

    def __getitem__(self, place: Any) -> Any:
        self.looks += 1
        return super().__getitem__(place)

    def __iter__(self) -> Any:
        raise AssertionError("a rung may hold very many values")


@pytest.mark.parametrize("rule", [Asha(1, 27), Median(1, 27)])
def test_a_rule_looks_at_few_of_many_values(rule: Asha | Median) -> None:
    earlier = Looks(float(value) for value in range(10_000))
    assert rule.decide(1.0, earlier).stop is False
    assert earlier.looks <= 4


def test_a_min_epochs_of_auto_is_a_tenth_and_at_least_one() -> None:
    assert make_rule("asha", "auto", 100).rungs(0) == (10, 30, 90)
    assert make_rule("asha", "auto", 5).rungs(0) == (1, 3)
    assert make_rule("none", "auto", 100).rungs(0) == ()


def test_a_bracket_is_drawn_from_the_given_generator_and_longer_ladders_more_often() -> None:
    rule = Asha(1, 27, brackets=3)
    assert [rule.rungs(s) for s in range(3)] == [(1, 3, 9), (3, 9), (9,)]
    again = [rule.bracket(np.random.default_rng(seed)) for seed in range(300)]
    assert again == [rule.bracket(np.random.default_rng(seed)) for seed in range(300)]
    counts = Counter(again)
    assert counts[0] > counts[1] > counts[2] > 0
    with pytest.raises(InputError, match="brackets: 5"):
        Asha(1, 27, brackets=5)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("eta", [2, 3, 4])
@pytest.mark.parametrize(("min_epochs", "max_epochs"), [(1, 20), (2, 50), (5, 100)])
def test_the_same_results_get_the_same_decisions_as_from_rays_own_asha(
    mode: str, eta: int, min_epochs: int, max_epochs: int
) -> None:
    """Where both define the same rungs (not at exact powers, where Ray's float logarithm may lose one)."""
    from ray.tune.schedulers import ASHAScheduler, TrialScheduler

    theirs = ASHAScheduler(time_attr="epoch", metric="value", mode=mode, max_t=max_epochs, grace_period=min_epochs,
                           reduction_factor=eta)  # fmt: skip
    ours = Asha(min_epochs, max_epochs, eta)
    sign = 1.0 if mode == "min" else -1.0
    levels = ours.rungs(0)
    assert tuple(sorted(int(m) for m, _ in theirs._brackets[0]._rungs)) == levels
    seen: dict[int, list[float]] = {level: [] for level in levels}
    rng = np.random.default_rng(eta * 1000 + max_epochs)
    stopped, gone_on = 0, 0
    running = {number: (SimpleNamespace(trial_id=str(number)), 0) for number in range(60)}
    for trial, _ in running.values():
        theirs.on_trial_add(None, trial)
    while running:
        number = int(rng.choice(list(running)))
        trial, epoch = running[number][0], running[number][1] + 1
        value = float(np.round(rng.normal(number / 60, 0.3), 1))  # rounded: ties are where percentiles can differ
        action = theirs.on_trial_result(None, trial, {"epoch": epoch, "value": value})
        if epoch in seen:
            verdict = ours.decide(sign * value, ranked(*seen[epoch]))
            seen[epoch].append(sign * value)
            assert (action == TrialScheduler.STOP) == verdict.stop, (number, epoch, value)
            stopped, gone_on = stopped + verdict.stop, gone_on + (not verdict.stop)
        elif epoch < max_epochs:
            assert action == TrialScheduler.CONTINUE
        running[number] = (trial, epoch)
        if action == TrialScheduler.STOP:
            del running[number]
    assert stopped > 20
    assert gone_on > 5


# -- median -------------------------------------------------------------------------------------------------------------


def test_median_stops_what_is_strictly_worse_than_the_median_of_enough_earlier_ones() -> None:
    rule = Median(min_epochs=2, max_epochs=5, min_trials=3)
    assert rule.rungs(0) == (2, 3, 4)
    assert not rule.decide(9.0, ranked(1.0, 2.0)).stop  # too few to tell
    assert rule.decide(2.1, ranked(1.0, 2.0, 3.0)).stop
    assert not rule.decide(2.0, ranked(1.0, 2.0, 3.0)).stop
    assert rule.decide(2.6, ranked(1.0, 2.0, 3.0, 4.0)).cutoff == 2.5
    assert rule.decide(math.nan, ranked()).stop
    assert rule.decide(5.0, ranked(math.inf, math.inf, math.nan, math.inf)).cutoff == math.inf
    assert (
        rule.decide(5.0, ranked(-math.inf, -math.inf, math.inf, math.inf)).cutoff == math.inf
    )  # their mean is no number


def test_before_a_launch_each_rung_says_how_many_will_pass() -> None:
    assert expected_rungs(Asha(1, 9), 27) == [ExpectedRung(1, 27, 9), ExpectedRung(3, 9, 3)]
    assert expected_rungs(make_rule("none", "auto", 9), 27) == []
    assert [rung.go_on for rung in expected_rungs(Median(1, 3, min_trials=5), 20)] == [10, 5]
