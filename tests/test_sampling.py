"""The contract of every sampler by name: conditional spaces, every distribution, and no memory of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.studies import make_space, optuna_trials, rows, simulate
from tuner.distributions import parse_space
from tuner.errors import InputError
from tuner.execution.simulated import SimulatedExecutor
from tuner.grid import grid_points
from tuner.sampling import check_sampler, configuration_hash, derive_seed, make_sampler, propose
from tuner.search_space import SAMPLERS, SearchSpace

OWN = "tests.own_sampler:Halving"
SPACE: dict[str, Any] = {
    "linear": {"low": 0.0, "high": 2.0},
    "log": {"low": 1e-5, "high": 1e-2, "scale": "log"},
    "stepped": {"low": 0.0, "high": 0.5, "step": 0.1},
    "whole": {"low": 1, "high": 8},
    "whole_log": {"low": 1, "high": 64, "scale": "log"},
    "whole_stepped": {"low": 2, "high": 8, "step": 3},
    "kind": ["a", 2, 2.5, True, None],
    "fixed": 7,
    "child": {"choices": [0.0, 0.5], "when": {"kind": ["a", 2]}},
    "grandchild": {"choices": ["x", "y"], "when": {"child": [0.0]}},
}
GRID = {
    **SPACE,
    "linear": {"low": 0.0, "high": 2.0, "step": 1.0},
    "log": [1e-5, 1e-3],
    "whole": 4,
    "whole_log": [1, 64],
}


@pytest.fixture(params=[*SAMPLERS, OWN])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def space_for(name: str, **changes: Any) -> SearchSpace:
    entries = GRID if name == "grid" else SPACE
    return make_space(space=entries, sampler={"name": name, "seed": 7}, **changes)


def score(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    return {"score": (configuration["linear"] - 0.5) ** 2 + epoch + (configuration["kind"] == "a")}


def run(name: str, url: str, workers: int = 1, trials: int = 24, **changes: Any) -> list[optuna.trial.FrozenTrial]:
    simulate(space_for(name, budget={"trials": trials}, **changes), url, SimulatedExecutor(score, workers))
    return optuna_trials(url)


def test_every_distribution_and_condition_is_kept_to(name: str, sqlite_url: str) -> None:
    trials = run(name, sqlite_url, trials=30)
    assert len(trials) == 30
    for trial in trials:
        chosen = trial.params
        assert 0 <= chosen["linear"] <= 2
        assert 1e-5 <= chosen["log"] <= 1e-2
        assert round(chosen["stepped"] * 10, 6) in range(6)
        assert chosen.get("whole", 4) in range(1, 9)
        assert isinstance(chosen.get("whole", 4), int)
        assert chosen["whole_log"] in range(1, 65)
        assert chosen["whole_stepped"] in (2, 5, 8)
        assert chosen["kind"] in ("a", 2, 2.5, True, None)
        assert "fixed" not in chosen  # no choice of the sampler's
        assert ("child" in chosen) == (chosen["kind"] in ("a", 2) and chosen["kind"] is not True)
        assert ("grandchild" in chosen) == (chosen.get("child") == 0.0)
    assert len({configuration_hash(t.params) for t in trials}) >= 29  # one that kept its seed would repeat itself
    assert {t.state.name for t in trials} == {"COMPLETE", "PRUNED"}


def test_a_study_cut_in_pieces_and_rebuilt_from_the_database_proposes_the_same(name: str, tmp_path: Path) -> None:
    whole, pieces = (f"sqlite:///{tmp_path}/{part}.db" for part in ("whole", "pieces"))
    run(name, whole, trials=15)
    for trials in (1, 2, 7, 15):  # each launch makes everything anew
        run(name, pieces, trials=trials)
    assert rows(whole) == rows(pieces)


def test_trials_that_run_side_by_side_are_different_ones(name: str, sqlite_url: str) -> None:
    trials = run(name, sqlite_url, workers=8, trials=24)
    assert len(trials) == 24
    assert len({configuration_hash(t.params) for t in trials}) >= 23


@pytest.mark.parametrize("name", ["tpe", "grid", "cmaes", "qmc"])  # those that write or read more than their trial
def test_the_sampler_works_on_postgresql_too(name: str, postgres_url: str, sqlite_url: str) -> None:
    run(name, postgres_url, trials=14)
    run(name, sqlite_url, trials=14)
    assert rows(postgres_url) == rows(sqlite_url)


def test_seeds_differ_by_study_purpose_and_trial() -> None:
    seeds = {derive_seed(s, p, n) for s in (0, 1) for p in ("sampler", "bracket") for n in range(100)}
    assert len(seeds) == 400


# -- grid -----------------------------------------------------------------------------------------------------------------

SMALL: dict[str, Any] = {
    "a": [1, None],
    "b": {"low": 0.0, "high": 0.2, "step": 0.1, "when": {"a": [1]}},
    "c": {"low": 3, "high": 4},
}


def test_a_grid_holds_every_point_once_under_its_conditions() -> None:
    points = grid_points(parse_space(SMALL), seed=0)
    assert sorted((p["c"], str(p["a"]), round(p.get("b", -1.0), 6)) for p in points) == [
        (3, "1", 0.0), (3, "1", 0.1), (3, "1", 0.2), (3, "None", -1.0),
        (4, "1", 0.0), (4, "1", 0.1), (4, "1", 0.2), (4, "None", -1.0),
    ]  # fmt: skip
    assert grid_points(parse_space(SMALL), seed=1) != points


def test_a_grid_ends_by_itself_and_tries_every_point_once(sqlite_url: str) -> None:
    space = make_space(space=SMALL, sampler={"name": "grid"}, budget={}, early_stopping={"name": "none"})
    simulate(space, sqlite_url, SimulatedExecutor(lambda c, e: {"score": c["c"]}, workers=3))
    trials = optuna_trials(sqlite_url)
    assert len(trials) == 8
    assert len({configuration_hash(t.params) for t in trials}) == 8


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"low": 0.0, "high": 1.0}, "space.a: a grid needs steps; add step"),
        ({"low": 0.1, "high": 1.0, "scale": "log"}, "space.a: a grid has no points on a logarithmic scale; list them"),
        ({"low": 0, "high": 10**9}, "space.a: the grid has more than 100,000 points"),
    ],
)
def test_a_space_without_a_grid_is_refused(entry: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_sampler(make_space(space={"a": entry}, sampler={"name": "grid"}))
    assert message in str(caught.value)


# -- enqueue --------------------------------------------------------------------------------------------------------------


def test_enqueued_configurations_are_tried_first_and_the_sampler_fills_what_they_leave_open(sqlite_url: str) -> None:
    first = {"x": 0.25, "kind": "a", "depth": 2}
    space = make_space(enqueue=[first, {"x": 0.5}], budget={"trials": 4})
    simulate(space, sqlite_url)
    trials = optuna_trials(sqlite_url)
    assert trials[0].params == first
    assert trials[1].params["x"] == 0.5
    assert trials[1].params["kind"] in ("a", "b", None)
    assert len({t.params["x"] for t in trials}) == 4


def test_enqueued_points_of_a_grid_are_not_tried_twice(sqlite_url: str) -> None:
    space = make_space(space=SMALL, sampler={"name": "grid"}, budget={}, enqueue=[{"a": None, "c": 4}])
    simulate(space, sqlite_url, SimulatedExecutor(lambda c, e: {"score": c["c"]}))
    trials = optuna_trials(sqlite_url)
    assert trials[0].params == {"a": None, "c": 4}
    assert len(trials) == len({configuration_hash(t.params) for t in trials}) == 8


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"y": 1}, "enqueue.0.y: unknown parameter"),
        ({"x": 3.0}, "enqueue.0.x: is never 3.0 in this space; it may be 0…1"),
        ({"kind": "c"}, "enqueue.0.kind: is never 'c' in this space; it may be 'a', 'b', null"),
        ({"kind": "b", "depth": 2}, "enqueue.0.depth: is not in force here"),
        ({"kind": "a", "depth": 2.5}, "enqueue.0.depth: is never 2.5"),
    ],
)
def test_an_enqueued_configuration_outside_of_the_space_is_refused(configuration: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        make_space(enqueue=[configuration])
    assert message in str(caught.value)


# -- by name --------------------------------------------------------------------------------------------------------------


def test_an_unknown_sampler_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"sampler\.name: 'cmaess' is not allowed; did you mean 'cmaes'\?"):
        make_space(sampler={"name": "cmaess"})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.sampling.importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install cmaes"):
        check_sampler(make_space(sampler={"name": "cmaes"}))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:X", "module 'no_such_module'"),
        ("tests.own_sampler:Nothing", "has no 'Nothing'"),
        (
            "tests.own_sampler:NoSampler",
            "space.yaml:23: sampler.name: 'tests.own_sampler:NoSampler' makes a NoSampler, not an optuna.samplers.BaseSampler",
        ),
        ("tests.own_sampler:NoSeed", "tests.own_sampler:NoSeed(seed=…) raised TypeError"),
    ],
)
def test_a_sampler_of_ones_own_that_cannot_be_used_is_refused(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_sampler(make_space(sampler={"name": name}))
    assert message in str(caught.value)


def test_the_space_is_the_same_for_optunas_own_ask() -> None:
    study = optuna.create_study()
    proposal = propose(study, make_sampler("random", 0, 0), parse_space({"x": [1, 2], "y": 5}))
    assert proposal.chosen.keys() == {"x", "y"}
    assert study.trials[0].params.keys() == {"x"}


def test_equal_configurations_have_equal_hashes() -> None:
    assert configuration_hash({"a": 1, "b": 0.1}) == configuration_hash({"b": 0.1, "a": 1})
    assert configuration_hash({"a": 1}) != configuration_hash({"a": 2})
