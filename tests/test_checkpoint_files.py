"""Checkpoints as files, and which of them are worth their bytes."""

import resource
import signal
from pathlib import Path

import pytest

from storage.checkpoints import Checkpoint, TrialCheckpoints
from tuner.checkpoint_files import CheckpointFiles, delete_files
from tuner.errors import CheckpointDamagedError, CheckpointError, InputError
from tuner.retention import best_checkpoint, expendable_after_the_end, expendable_while_running, over_quota


def kept(epoch: int, attempt: int = 1, num_bytes: int = 10) -> Checkpoint:
    return Checkpoint(epoch, attempt, f"{epoch}.{attempt}", num_bytes, "0" * 64)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_what_is_written_is_read_again_and_deleted(tmp_path: Path, scheme: str) -> None:
    files = CheckpointFiles(f"{scheme}{tmp_path}/deep/folder", our_parent=True)
    assert files.found() == {}
    written = files.write(7, 2, 3, b"state")
    assert (written.epoch, written.attempt, written.num_bytes) == (3, 2, 5)
    assert files.read(written) == b"state"
    assert files.found() == {written.location: (7, 2)}
    delete_files([written.location, written.location])  # the second time it is gone already
    assert files.found() == {}
    files.remove_if_empty()
    assert not (tmp_path / "deep").exists()


def test_a_damaged_or_missing_file_is_told(tmp_path: Path) -> None:
    files = CheckpointFiles(str(tmp_path))
    written = files.write(0, 1, 1, b"state")
    Path(written.location).write_bytes(b"stale")
    with pytest.raises(CheckpointError, match="is damaged: its SHA-256"):
        files.read(written)
    Path(written.location).unlink()
    with pytest.raises(CheckpointDamagedError, match="cannot be read from"):
        files.read(written)


def test_a_file_is_only_out_of_reach_while_its_whole_folder_is(tmp_path: Path) -> None:
    """A disk that is not mounted, or another machine's: the file may be read again one day."""
    written = CheckpointFiles(str(tmp_path / "disk")).write(0, 1, 1, b"state")
    (tmp_path / "disk").rename(tmp_path / "unmounted")
    with pytest.raises(CheckpointError, match="cannot be read from") as caught:
        CheckpointFiles.read(written)
    assert not isinstance(caught.value, CheckpointDamagedError)


def test_on_a_full_disk_nothing_half_written_stays(tmp_path: Path) -> None:
    files = CheckpointFiles(str(tmp_path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(CheckpointError, match="cannot be written to"):
            files.write(0, 1, 1, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"checkpoint.location: 'nowhere://x' cannot be used"):
        CheckpointFiles("nowhere://x")


@pytest.mark.parametrize(("goal", "best"), [("maximize", 2), ("minimize", 1)])
def test_a_running_trial_keeps_its_newest_the_one_before_and_its_best(goal: str, best: int) -> None:
    checkpoints = [kept(5), kept(4), kept(3), kept(2), kept(1)]
    values = {1: 0.1, 2: 0.9, 3: 0.5, 4: float("nan"), 5: 0.5}
    assert best_checkpoint(checkpoints, values, goal) == kept(best)
    gone = expendable_while_running(checkpoints, values, goal)
    assert {c.epoch for c in checkpoints} - {c.epoch for c in gone} == {5, 4, best}


def test_an_attempt_that_began_from_scratch_keeps_its_newest_behind_those_of_earlier_ones() -> None:
    checkpoints = [kept(9), kept(8), kept(2, attempt=2), kept(1, attempt=2)]
    assert expendable_while_running(checkpoints, {}, "maximize") == [kept(1, attempt=2)]


def test_of_an_epoch_that_was_run_again_the_newer_attempts_state_is_kept() -> None:
    checkpoints = [kept(2, attempt=2), kept(2, attempt=1), kept(1)]
    assert expendable_while_running(checkpoints, {1: 0.5, 2: 0.6}, "maximize") == [kept(2, attempt=1)]


def test_only_the_best_finished_trials_keep_one() -> None:
    ended = {10: (0.5, 0), 11: (0.7, 1), 12: (0.7, 2), 13: (0.1, 3)}
    assert expendable_after_the_end(ended, "maximize", 2) == {10, 13}
    assert expendable_after_the_end(ended, "minimize", 1) == {10, 11, 12}
    assert expendable_after_the_end(ended, "maximize", 0) == set(ended)


def test_a_quota_takes_from_the_finished_first_and_never_the_newest_of_the_unfinished() -> None:
    trials = [
        TrialCheckpoints(1, "ended", (kept(9),)),
        TrialCheckpoints(2, "running", (kept(3), kept(2))),
        TrialCheckpoints(3, "queued", (kept(1),)),
    ]
    assert over_quota(trials, 40) == []
    assert over_quota(trials, 39) == [(1, kept(9))]
    assert over_quota(trials, 1) == [(1, kept(9)), (2, kept(2))]
