"""Whether a database is still the one that was opened."""

from pathlib import Path

from storage.engine import parse_url


def database_identity(url: str) -> tuple[int, int] | None:
    """What tells a SQLite file from another of its name, for a connection goes on reading one that was deleted or replaced.

    Returns: device and inode; None where there is no file, (0, 0) for a server, whose connections tell themselves.
    Raises: DatabaseUnreachableError: not a URL that can be used.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        return (0, 0)
    try:
        found = Path(str(parsed.database)).stat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino)
