"""Threads of the numerical libraries in the process that trains: sums come out alike only with as many as before."""

import os

from threadpoolctl import threadpool_limits


def limit_threads(cpus: float) -> None:
    """As many as a trial has CPUs, in every library that is loaded now (NumPy's, SciPy's, OpenMP's) or later."""
    threads = max(1, int(cpus))
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when a library is loaded
    threadpool_limits(threads)
