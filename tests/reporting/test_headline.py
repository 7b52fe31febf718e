"""The facts of a headline: numbers worked out by hand, and doubts that are told honestly."""

import math
from collections.abc import Mapping
from typing import Any

import tuner
from tests.scenes import Script, report
from tests.studies import make_space, simulate
from tuner.execution.simulated import SimulatedExecutor
from tuner.launching import launch
from tuner.reporting.headline import Headline, headline, words_of
from tuner.reporting.study_data import StudyData, read_study

UNSTOPPED = {"early_stopping": {"name": "none"}}


def read(url: str) -> StudyData:
    return read_study(tuner.open_study(url, "s"))


def facts_of(url: str, curve: Any, **changes: Any) -> Headline:
    simulate(make_space(**{**UNSTOPPED, **changes}), url, SimulatedExecutor(curve))
    return headline(read(url))


def enqueued(*values: float) -> dict[str, Any]:
    """A study of these values of x, in this order, and nothing else."""
    return {
        "space": {"x": {"low": 0.0, "high": 1.0}},
        "enqueue": [{"x": value} for value in values],
        "budget": {"trials": len(values)},
    }


def test_the_best_trial_is_told_with_its_figures_at_its_best_epoch(sqlite_url: str) -> None:
    def curve(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return {"score": configuration["x"] - abs(epoch - 3) / 10, "loss": epoch * 1.0, "late": 7.0}

    facts = facts_of(sqlite_url, curve, **enqueued(0.25, 0.75, 0.5), settings={"epochs": 4})
    assert (facts.metric, facts.goal, facts.running) == ("score", "maximize", False)
    assert facts.status == "finished; raise the budget to go on"
    assert facts.trials == {"complete": 3}
    winner = facts.winner
    assert winner is not None
    assert (winner.trial, winner.state, winner.epoch, winner.epochs) == (1, "complete", 3, 4)
    assert winner.value == 0.75
    assert dict(winner.figures) == {"late": 7.0, "loss": 3.0}
    assert dict(winner.configuration) == {"x": 0.75}


def test_trials_within_the_unsteadiness_of_the_winner_are_named(sqlite_url: str) -> None:
    """The winner's curve goes up and down by 0.125; 0.9375 and 0.875 are that close to 1, and 0.8125 is not."""

    def curve(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return {"score": configuration["x"] - (epoch % 2) / 8}

    facts = facts_of(sqlite_url, curve, **enqueued(1.0, 0.9375, 0.875, 0.8125), settings={"epochs": 9})
    sentence = next(doubt for doubt in facts.doubts if "last epochs" in doubt)
    assert "moved by 0.12 from one epoch to the next" in sentence
    assert "2 other trials (1, 2) are within that of it" in sentence
    assert any("best epoch of the best of 4 trials" in doubt for doubt in facts.doubts)
    assert any("trained once, from one seed" in doubt for doubt in facts.doubts)


def test_few_epochs_tell_nothing_about_unsteadiness(sqlite_url: str) -> None:
    facts = facts_of(
        sqlite_url,
        lambda configuration, epoch: {"score": configuration["x"]},
        **enqueued(1.0, 0.5),
        settings={"epochs": 2},
    )
    sentence = next(doubt for doubt in facts.doubts if "too few epochs" in doubt)
    assert "1 % of its value (0.01): no other trial comes as close" in sentence


def test_a_configuration_trained_twice_shows_what_chance_does(sqlite_url: str) -> None:
    values = iter([0.5, 0.625])
    facts = facts_of(
        sqlite_url, lambda configuration, epoch: {"score": next(values)}, **enqueued(0.25, 0.25), settings={"epochs": 1}, repeats="rerun"
    )  # fmt: skip
    assert "Its configuration was trained 2 times and came to 0.5, 0.625." in facts.doubts


def test_a_winner_that_was_stopped_is_said_to_be(sqlite_url: str) -> None:
    def curve(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return {"score": configuration["x"], "loss": math.nan if configuration["x"] == 1 and epoch == 2 else 0.0}

    facts = facts_of(sqlite_url, curve, **enqueued(0.5, 1.0), settings={"epochs": 3})
    assert facts.trials == {"complete": 1, "pruned": 1}
    assert facts.doubts[0].startswith("Trial 1 was stopped after 2 of 3 epochs (loss is nan after epoch 2): its value")


def test_a_running_study_is_said_to_be_running(sqlite_url: str) -> None:
    facts: list[Headline] = []

    def play(study: Any) -> None:
        trial = study.next_trial()
        study.on_epoch(trial, report(1, score=0.5))
        facts.append(headline(read(sqlite_url)))

    launch(make_space(), sqlite_url, say=lambda line: None, make_executor=lambda space, data, *_: Script(play))
    (then,) = facts
    assert then.running
    assert then.status == "running: 1 of 12 trials begun"
    assert then.trials == {"running": 1}
    assert then.doubts[0].startswith("Trial 0 is still running after 1 of 9 epochs: ")
    assert then.doubts[-1] == "The study is still running: another trial may win."


def test_a_study_without_a_finite_value_has_no_winner_and_no_doubts(sqlite_url: str) -> None:
    facts = facts_of(sqlite_url, lambda configuration, epoch: {"score": math.nan}, budget={"trials": 2})
    assert facts.winner is None
    assert facts.doubts == ()
    assert facts.trials == {"pruned": 2}


def test_values_are_written_as_a_search_space_has_them() -> None:
    assert [words_of(value) for value in (None, True, 0.123456, 3, "a")] == ["null", "true", "0.1235", "3", "a"]
