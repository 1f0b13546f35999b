"""A clock for what has to stop in time: it ticks when it is looked at, however quick or slow the machine is."""

import itertools
import time

from validation.context import OutOfTime


def in_parts(monkeypatch, run, most=100):
    """Call `run(stops)` until it comes to its end, from time 0 every time; its result, and how often it was stopped."""
    for stops in range(most):
        with monkeypatch.context() as patched:
            patched.setattr(time, "monotonic", map(float, itertools.count()).__next__)
            try:
                return run(stops), stops
            except OutOfTime:
                pass
    raise AssertionError(f"it was stopped {most} times and never came to its end")
