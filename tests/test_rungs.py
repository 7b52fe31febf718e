"""Who is compared with whom, when, and what is told and kept of it."""

from storage.reading import StudyReader
from storage.trial_log import read_trial_log
from tests.scenes import begin, play, report
from tests.studies import make_space, optuna_trials, rows, simulate
from tuner.events import Decider
from tuner.execution.simulated import SimulatedExecutor


def test_every_verdict_at_a_rung_is_recorded_with_cut_off_and_reason(database_url: str) -> None:
    simulate(make_space(), database_url)
    study = StudyReader(database_url).study("s")
    assert [r.epoch for r in study.rungs] == [1, 3]
    assert study.rungs[0].compared == 12
    stopped = [t for t in study.trials if t.state == "pruned"]
    assert stopped
    for trial in stopped:
        assert trial.reason.startswith("rung ")
        assert "not among the best 1/3 of the" in trial.reason
        assert "cut-off" in trial.reason
    assert len(rows(database_url)["decision"]) == sum(r.compared for r in study.rungs)


def test_the_median_rule_compares_the_best_so_far_after_every_epoch(sqlite_url: str) -> None:
    curves = {
        "a": [0.5, 0.1, 0.1, 0.9],
        "b": [0.4, 0.45, 0.3, 0.3],
        "c": [0.3, 0.6, 0.3, 0.8],
        "d": [0.0, 0.44, 0.7, 0.7],
    }
    space = make_space(
        space={"kind": [*curves]},
        settings={"epochs": 4},
        sampler={"name": "grid"},
        enqueue=[{"kind": kind} for kind in curves],
        early_stopping={"name": "median", "min_epochs": 2, "min_trials": 2},
    )
    simulate(space, sqlite_url, SimulatedExecutor(lambda c, epoch: {"score": curves[c["kind"]][epoch - 1]}))
    trials = optuna_trials(sqlite_url)
    assert [t.state.name for t in trials] == ["COMPLETE", "COMPLETE", "COMPLETE", "PRUNED"]
    log = read_trial_log(StudyReader(sqlite_url), "s", 3)
    (decision,) = log.decisions
    assert (decision.epoch, decision.verdict, decision.value, decision.cutoff) == (2, "stop", 0.44, 0.5)
    assert decision.reason == (
        "rung 2: score 0.44 is worse than the median of the 3 earlier there (cut-off 0.5)"
    )  # bests at epoch 2: 0.5, 0.45, 0.6


def test_a_trial_that_reports_every_few_epochs_is_compared_at_the_highest_rung_it_passed(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        for score, stops in ((0.5, False), (0.4, True), (0.6, False)):
            assignment = begin(study)
            assert study.on_epoch(assignment, report(4, score=score)).stops is stops  # passes rungs 1 and 3
            if not stops:
                study.on_epoch(assignment, report(9, score=score))

    play(make_space(budget={"trials": 3}), sqlite_url, scene)
    study = StudyReader(sqlite_url).study("s")
    assert [(rung.epoch, rung.compared, rung.went_on) for rung in study.rungs] == [(3, 3, 2)]
    assert [trial.state for trial in study.trials] == ["complete", "pruned", "complete"]


def test_the_rungs_are_told_before_the_first_trial(sqlite_url: str) -> None:
    lines: list[str] = []
    simulate(make_space(), sqlite_url, say=lines.append)
    assert lines[1:5] == [
        "early stopping asha: about one in 3 goes on at each rung",
        "  of 12 trials, about:",
        "  rung at epoch    1 of 9: 12 compared, 4 go on",
        "  rung at epoch    3 of 9: 4 compared, 1 go on",
    ]
    assert lines[5].startswith("trial   0 begins")
