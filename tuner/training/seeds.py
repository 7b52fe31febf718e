"""One seed for each purpose, so that no two random streams of a trial coincide."""

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed that is a function of its parts alone, on every machine and in every process."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
