"""The part of an axis in which values can be read."""

import numpy as np
import pandas as pd
import pytest

from tuner.reporting.figures.curve_values import ValueRange, curve_table, metric_column, value_range


def test_an_axis_holds_all_values_with_a_little_room() -> None:
    found = value_range(np.array([[0.0, 10.0], [5.0, np.nan]]), may_be_log=True)
    assert (found.low, found.high, found.log) == (-0.4, 10.4, False)


def test_a_few_values_far_out_do_not_squash_the_rest() -> None:
    values = np.array([*np.linspace(1, 3, 200), 1e6, -1e6, np.inf])
    found = value_range(values, may_be_log=True)
    assert found.low < 1
    assert found.high > 3
    assert found.high - found.low < 3 * 2.2  # the middle nine tenths, as much again on either side, and the room


def test_values_over_decades_are_on_a_logarithmic_axis_where_ratios_mean_something() -> None:
    losses = np.geomspace(1e-3, 10, 100)
    found = value_range(losses, may_be_log=True)
    assert found.log
    assert found.low < 1e-3 < 10 < found.high
    assert found.axis()["range"] == pytest.approx([-3.16, 1.16])  # 4 % of four decades at either end
    assert not value_range(losses, may_be_log=False).log
    assert not value_range(losses - 0.001, may_be_log=True).log  # zero has no logarithm


@pytest.mark.parametrize("value", [0.0, 2.5, -3.0])
def test_one_value_alone_stands_in_the_middle(value: float) -> None:
    found = value_range(np.array([value]), may_be_log=True)
    assert found.low < value < found.high
    assert (found.low + found.high) / 2 == pytest.approx(value)


def test_without_a_finite_value_there_is_an_axis_all_the_same() -> None:
    assert value_range(np.array([np.nan, np.inf]), may_be_log=True) == ValueRange(0.0, 1.0)


def test_a_place_near_the_edge_is_a_share_of_what_is_seen() -> None:
    assert ValueRange(10.0, 20.0).near_edge(0.1) == 11.0
    assert ValueRange(1e-4, 1.0, log=True).near_edge(0.25) == pytest.approx(1e-3)


def test_metrics_are_found_under_the_names_of_the_frame() -> None:
    assert metric_column("loss") == "loss"
    assert metric_column("epoch") == "metric_epoch"
    epochs = pd.DataFrame({"trial": [0, 0, 1], "epoch": [1, 2, 1], "loss": [3.0, 2.0, 5.0]})
    np.testing.assert_array_equal(curve_table(epochs, "loss").to_numpy(), [[3.0, 2.0], [5.0, np.nan]])
