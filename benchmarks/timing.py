"""Durations of calls, as several benchmarks measure them."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def measure_seconds(function: Callable[[], Any], repeats: int) -> float:
    """Return the median duration of a call, after a first one that compiles."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
