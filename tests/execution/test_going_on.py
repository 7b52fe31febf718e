"""Trials that go on from their checkpoints: after the death of a worker, of the driver, and with a damaged file."""

import signal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage.checkpoints import Checkpoint
from storage.engine import open_existing
from storage.tables import ATTEMPT
from tests.cli import Folder
from tests.studies import make_space, rows, simulate
from tests.trainers import Curve
from tuner.checkpoint_files import CheckpointFiles
from tuner.errors import CheckpointError
from tuner.events import Assignment, EpochReport
from tuner.execution.attempt import AttemptRunner, Broken, Job

DIARY = {"settings": {"epochs": 6, "sleep": 0.4, "diary": "diary.txt"}, "early_stopping": {"name": "none"}}


def url(folder: Folder) -> str:
    return f"sqlite:///{folder.path}/tuner.db"


def diary(folder: Folder) -> list[tuple[float, int]]:
    """(x, epoch) of each epoch that was begun, in order."""
    lines = (folder.path / "diary.txt").read_text().splitlines()
    return [(float(line.split()[0]), int(line.split()[1])) for line in lines]


def assert_nothing_is_left(folder: Folder) -> None:
    folder.wait_until_no_process_is_left()
    found = [path for path in (folder.path / "tuner.db.checkpoints").rglob("*") if path.is_file()]
    assert 0 < len(found) <= 3, found  # the best epochs of the three best trials
    assert all(path.suffix == ".checkpoint" for path in found)


def test_a_worker_killed_in_mid_epoch_goes_on_from_the_last_good_epoch(folder: Folder) -> None:
    changes: dict[str, Any] = {**DIARY, "budget": {"trials": 2}}
    space = folder.write("space.yaml", trainer="trainers:Diary", concurrency=1, **changes)
    running = folder.start("launch", space)
    running.wait_for("trial   0 epoch   3/6")
    engine = open_existing(url(folder)).engine
    with engine.connect() as connection:
        folder.kill(connection.execute(sa.select(ATTEMPT.c.worker)).scalar_one())
    assert running.process.wait(timeout=120) == 0, running.output()
    assert "lost its worker; it will be tried again" in running.output()
    begun = [epoch for _, epoch in diary(folder)]
    assert begun in (
        [1, 2, 3, again, *range(again, 7), *range(1, 7)] for again in (4, 5)
    )  # only the last was run twice
    simulate(make_space(**changes), f"sqlite:///{folder.path}/undisturbed.db")
    assert rows(url(folder)) == rows(f"sqlite:///{folder.path}/undisturbed.db")
    assert_nothing_is_left(folder)


@pytest.mark.parametrize("command", [pytest.param("launch", marks=pytest.mark.chaos), "resume"])
def test_a_driver_killed_is_gone_on_with_and_the_study_is_the_same(folder: Folder, command: str) -> None:
    changes: dict[str, Any] = {**DIARY, "sampler": {"name": "tpe", "seed": 7}, "budget": {"trials": 3}}
    space = folder.write("space.yaml", trainer="trainers:Diary", concurrency=1, **changes)
    running = folder.start("launch", space)
    running.wait_for("trial   1 epoch   3/6")
    assert running.end(signal.SIGKILL) == -signal.SIGKILL
    ended = folder.run(command, space if command == "launch" else "s")
    assert ended.returncode == 0, ended.stderr
    assert "left 1 running trials; they go on first" in ended.stdout
    assert "trial   1 epoch   1/6" not in ended.stdout
    simulate(make_space(**changes), f"sqlite:///{folder.path}/undisturbed.db")
    assert rows(url(folder)) == rows(f"sqlite:///{folder.path}/undisturbed.db")
    assert_nothing_is_left(folder)


def test_somebody_stops_a_trial_and_then_the_study(folder: Folder) -> None:
    slow = {**DIARY, "settings": {**DIARY["settings"], "epochs": 90}}
    space = folder.write("space.yaml", trainer="trainers:Diary", concurrency=1, budget={"trials": 4}, **slow)
    running = folder.start("launch", space)
    running.wait_for("trial   0 epoch   2/90")
    asked = folder.run("stop", "s", "--trial", "0")
    assert asked.returncode == 0 and "ends it after its epoch" in asked.stdout, asked
    running.wait_for("trial   1 epoch   1/90")
    assert "pruned: stopped by " in running.output()
    asked = folder.run("stop", "s")
    assert asked.returncode == 0 and "tuner resume s goes on" in asked.stdout, asked
    assert running.process.wait(timeout=60) == 1  # no trial is finished
    assert "suspended: the study was stopped by " in running.output()
    again = folder.run("stop", "s")
    assert again.returncode == 2 and "there is nothing to stop" in again.stderr
    gone = folder.run("stop", "s", "--trial", "0")
    assert gone.returncode == 2 and "has ended already" in gone.stderr


class _Keeper(CheckpointFiles):
    """Fails on demand."""

    full = False

    def write(self, trial: int, attempt: int, epoch: int, content: bytes) -> Checkpoint:
        if self.full:
            raise CheckpointError("cannot be written to there: No space left on device")
        return super().write(trial, attempt, epoch, content)


def run(keeper: Any, epochs: int, checkpoints: tuple[Checkpoint, ...] = (), every: int = 1) -> list[EpochReport]:
    assignment = Assignment(0, 1, {"x": 0.3, "epochs": 6}, 6, checkpoints)
    runner = AttemptRunner(Job(assignment, "tests.trainers:Curve", 1, 0, every), None, keeper=keeper)
    reports = []
    for _ in range(epochs):
        report = runner.run_epoch()
        assert not isinstance(report, Broken), report
        reports.append(report)
    return reports


def test_an_attempt_goes_on_from_the_newest_good_checkpoint(tmp_path: Path) -> None:
    keeper = _Keeper(str(tmp_path))
    first, second, third = (report.checkpoint for report in run(keeper, 3))
    assert first and second and third
    assert [r.epoch for r in run(keeper, 2, (third, second, first))] == [4, 5]
    Path(third.location).write_bytes(b"damaged")
    Path(second.location).write_bytes(Path(second.location).read_bytes()[:-1])
    (report,) = run(keeper, 1, (third, second, first))
    assert report.epoch == 2
    assert [note.split(" /")[0] for note in report.notes] == [
        "the checkpoint of epoch 3", "the checkpoint of epoch 2", "it goes on from epoch 1",
    ]  # fmt: skip
    assert "is damaged" in report.notes[0]
    assert report.damaged == (third, second)
    Path(second.location).unlink()  # it was written anew
    Path(first.location).unlink()
    (report,) = run(keeper, 1, (third, second, first))
    assert (report.epoch, report.notes[-1]) == (1, "no good checkpoint is left: it goes on from scratch")


def test_a_study_that_keeps_none_any_more_still_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    checkpoints = tuple(report.checkpoint for report in run(_Keeper(str(tmp_path)), 2) if report.checkpoint)
    (report,) = run(None, 1, checkpoints[::-1])
    assert (report.epoch, report.checkpoint, report.notes) == (3, None, ())


def test_on_a_full_disk_the_trial_goes_on_and_it_is_told(tmp_path: Path) -> None:
    keeper = _Keeper(str(tmp_path))
    keeper.full = True
    (report,) = run(keeper, 1)
    assert report.checkpoint is None
    assert report.notes == (
        "the checkpoint of epoch 1 cannot be written to there: No space left on device; the trial goes on without it",
    )


def test_states_are_kept_every_so_many_epochs_and_at_the_end(tmp_path: Path) -> None:
    assert [r.epoch for r in run(_Keeper(str(tmp_path)), 6, every=4) if r.checkpoint] == [4, 6]


class Lambda(Curve):
    """Its state cannot be read back without running code."""

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "path": Path()}


def test_a_state_that_could_not_be_read_back_is_refused_with_the_first_one(tmp_path: Path) -> None:
    assignment = Assignment(0, 1, {"x": 0.3, "epochs": 6}, 6)
    broken = AttemptRunner(Job(assignment, f"{__name__}:Lambda", 1, 0), None, keeper=_Keeper(str(tmp_path))).run_epoch()
    assert isinstance(broken, Broken)
    assert "state_dict() must hold tensors, numpy arrays, numbers, strings" in broken.traceback
