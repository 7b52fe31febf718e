"""Whether the data that all trials of a machine share are still those that the driver loaded."""

import pickle
import zlib
from typing import Any


def checksum(data: Any) -> int | None:
    """CRC-32 of every array inside of any object, as it lies in memory; None where there is none to look at.

    What pickle hands over out of band (protocol 5) is exactly what lies in shared memory: to be asked of data that have come
    out of Ray's object store, in the driver too, where an array that was not contiguous has become a copy.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        pickle.dumps(data, protocol=5, buffer_callback=buffers.append)
    except (pickle.PicklingError, TypeError, AttributeError):  # Ray takes what plain pickle does not
        return None
    value = 0
    for buffer in buffers:
        value = zlib.crc32(buffer.raw(), value)
    return value if buffers else None
