"""Where a file lies, by what Linux says of its mounts."""

from pathlib import Path

import pytest

from storage import network_disks
from storage.network_disks import network_mount

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/export rw,vers=4.2
31 30 0:41 / /home/scratch rw - ext4 /dev/vdb rw
32 22 0:42 / /my\\040share rw - fuse.sshfs me@host:/ rw
33 22 0:43 / /twice rw - nfs server:/old rw
34 22 0:44 / /twice rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/study.db", None),
        ("/home/me/study.db", ("nfs4", "/home")),
        ("/home/scratch/study.db", None),
        ("/homes/study.db", None),
        ("/my share/study.db", ("fuse.sshfs", "/my share")),
        ("/twice/study.db", None),
    ],
)
def test_the_innermost_mount_of_a_path_says_whether_it_is_far(
    path: str, expected: tuple[str, str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(network_disks, "_MOUNTS", tmp_path / "mountinfo")
    assert network_mount(Path(path)) == expected


def test_a_disk_of_this_machine_is_none(tmp_path: Path) -> None:
    assert network_mount(tmp_path / "study.db") is None
