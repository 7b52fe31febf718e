"""Whether an error says that memory ran out, and whose. Imports no torch: a trainer without it must not wait for it."""

import errno
import sys
from typing import Literal

# of torch's own complaints that are plain RuntimeErrors
_HOST_WORDS = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")
_DEVICE_WORDS = ("CUDA error: out of memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")


def exhausted_memory(error: BaseException | None) -> Literal["host", "device"] | None:
    """Whose memory ran out: the host's or a device's; None when that is not what the error, or its cause, says."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return "host"
        if "torch" in sys.modules and isinstance(error, sys.modules["torch"].OutOfMemoryError):
            return "device"
        if isinstance(error, RuntimeError):
            if any(words in str(error) for words in _HOST_WORDS):
                return "host"
            if any(words in str(error) for words in _DEVICE_WORDS):
                return "device"
        error = error.__cause__ or error.__context__
    return None
