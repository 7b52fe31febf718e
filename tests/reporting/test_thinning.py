"""What is drawn of very many or very long curves: nothing that stands out is lost, and nothing is left to chance."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tuner.reporting.figures.thinning import envelope, even_spread, telling_curves, telling_points


def flat_curves(num_trials: int) -> pd.DataFrame:
    """Trial n is at n/1000 in each of three epochs."""
    return pd.DataFrame({epoch: np.arange(num_trials) / 1000 for epoch in (1, 2, 3)})


def test_all_curves_are_drawn_while_they_are_few() -> None:
    assert telling_curves(flat_curves(200), range(200), ()) == list(range(200))


def test_of_many_curves_the_outliers_and_an_even_spread_over_the_ranks_are_drawn() -> None:
    table = flat_curves(1000)
    table.loc[523, 2] = 50.0  # highest, lowest: only for an epoch, of trials in the middle
    table.loc[524, 3] = -50.0
    ranking = list(range(999, -1, -1))
    drawn = telling_curves(table, ranking, notable=([333], []))
    assert len(drawn) == 200
    assert drawn == sorted(drawn)
    assert {523, 524, 333, 0, 999} <= set(drawn)
    assert max(np.diff(drawn)) <= 7  # of 1000 about every fifth
    assert telling_curves(table, ranking, notable=([333], [])) == drawn


def test_a_group_of_notable_curves_gets_a_quarter_of_the_places() -> None:
    broken = list(range(500, 1000))
    drawn = telling_curves(flat_curves(1000), range(500), notable=(broken,))
    assert len(drawn) == 200
    assert 50 <= len(set(drawn) & set(broken)) <= 50 + 10  # ten of them have the highest values as well


def test_a_curve_without_a_finite_value_is_neither_highest_nor_lowest() -> None:
    table = flat_curves(300)
    table.loc[7] = np.inf
    table.loc[8] = np.nan
    ranking = [number for number in range(300) if number not in (7, 8)]
    assert not {7, 8} & set(telling_curves(table, ranking, ()))
    assert {7, 8} <= set(telling_curves(table, ranking, ([7, 8],)))


def test_an_even_spread_has_both_ends() -> None:
    assert even_spread(list("abcdefghij"), 4) == ["a", "d", "g", "j"]
    assert even_spread([1, 2], 4) == [1, 2]


def test_the_envelope_holds_all_finite_values_of_an_epoch() -> None:
    table = pd.DataFrame({1: [*np.arange(11.0), np.inf], 2: [np.nan] * 12})
    spans = envelope(table)
    assert spans.index.tolist() == [1]  # nobody has a value at epoch 2
    assert spans.loc[1].to_dict() == {"lowest": 0.0, "10 %": 1.0, "median": 5.0, "90 %": 9.0, "highest": 10.0}


def test_a_short_curve_keeps_all_its_points() -> None:
    assert telling_points(np.zeros(300)).tolist() == list(range(300))


@given(st.lists(st.floats(allow_subnormal=False), min_size=21, max_size=400), st.integers(5, 20))
def test_a_long_curve_keeps_its_ends_its_extremes_and_its_gaps(curve: list[float], most: int) -> None:
    values = np.array(curve)
    kept = telling_points(values, most)
    assert len(kept) <= most
    assert (np.diff(kept) > 0).all()
    assert {0, len(values) - 1} <= set(kept.tolist())
    finite = values[np.isfinite(values)]
    if len(finite):
        assert {finite.min(), finite.max()} <= set(values[kept].tolist())
    assert np.isfinite(values).all() == np.isfinite(values[kept]).all()
