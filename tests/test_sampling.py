"""The contract of every sampler by name: conditional spaces, every distribution, and no memory of its own."""

from typing import Any

import optuna
import pytest

from tuner.distributions import parse_space
from tuner.sampling import derive_seed, make_sampler, propose

SPACE = parse_space({
    "linear": {"low": 0.0, "high": 2.0},
    "log": {"low": 1e-5, "high": 1e-2, "scale": "log"},
    "stepped": {"low": 0.0, "high": 0.5, "step": 0.1},
    "whole": {"low": 1, "high": 8},
    "whole_log": {"low": 1, "high": 64, "scale": "log"},
    "whole_stepped": {"low": 2, "high": 8, "step": 3},
    "kind": ["a", 2, 2.5, True, None],
    "fixed": 7,
    "child": {"low": 0.0, "high": 1.0, "when": {"kind": ["a", 2]}},
    "grandchild": {"choices": ["x", "y"], "when": {"child": [0.0]}},
})  # fmt: skip


def run(name: str, url: str | None, rebuild: bool, num_trials: int = 25) -> list[dict[str, Any]]:
    storage = optuna.storages.RDBStorage(url) if url else optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
    found = []
    for number in range(num_trials):
        if rebuild:
            study = optuna.load_study(storage=optuna.storages.RDBStorage(str(url)), study_name="s")
        trial_id, chosen = propose(study, make_sampler(name, 7, number), SPACE)
        trial = study._storage.get_trial(trial_id)
        if number % 3 == 1:
            study._storage.set_trial_intermediate_value(trial_id, 1, chosen["linear"])
            study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial.number, (chosen["linear"] - 0.5) ** 2)
        found.append(chosen)
    return found


@pytest.fixture(params=["random", "tpe"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_distribution_is_kept_to(name: str) -> None:
    for chosen in run(name, None, rebuild=False, num_trials=40):
        assert 0 <= chosen["linear"] <= 2
        assert 1e-5 <= chosen["log"] <= 1e-2
        assert round(chosen["stepped"] * 10, 6) in range(6)
        assert chosen["whole"] in range(1, 9)
        assert isinstance(chosen["whole"], int)
        assert chosen["whole_log"] in range(1, 65)
        assert chosen["whole_stepped"] in (2, 5, 8)
        assert chosen["kind"] in ("a", 2, 2.5, True, None)
        assert chosen["fixed"] == 7
        assert ("child" in chosen) == (chosen["kind"] in ("a", 2))


def test_a_sampler_made_anew_for_each_trial_from_the_database_proposes_the_same(name: str, tmp_path: Any) -> None:
    live = run(name, f"sqlite:///{tmp_path}/live.db", rebuild=False)
    rebuilt = run(name, f"sqlite:///{tmp_path}/rebuilt.db", rebuild=True)
    assert live == rebuilt
    assert len({chosen["linear"] for chosen in live}) == 25  # a sampler that kept its seed would repeat itself


def test_seeds_differ_by_study_purpose_and_trial() -> None:
    seeds = {derive_seed(s, p, n) for s in (0, 1) for p in ("sampler", "bracket") for n in range(100)}
    assert len(seeds) == 400
