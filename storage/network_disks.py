"""Whether a file lies on a network file system: SQLite's locks do not hold there, and databases get damaged."""

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")  # Linux; where it is not, nothing is known
_NETWORK = {
    "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "pvfs2", "smb3",
    "smbfs", "fuse.beegfs", "fuse.ceph-fuse", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys",
    "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
}  # fmt: skip


def network_mount(path: Path) -> tuple[str, str] | None:
    """(kind, mount point) of the network file system that a path lies on; None when it lies on a disk of this machine."""
    if not _MOUNTS.exists():
        return None
    place = path.resolve()
    found: tuple[str, Path] | None = None
    for line in _MOUNTS.read_text().splitlines():
        mount, _, system = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mount.split()[4]))
        # of nested ones the innermost counts; of several at one point the last, which hides the others
        if place.is_relative_to(point) and (found is None or len(point.parts) >= len(found[1].parts)):
            found = system.split()[0], point
    return (found[0], str(found[1])) if found is not None and found[0] in _NETWORK else None
