"""Benchmarks: `make bench` on the CPU (`run.py`), `make bench-gpu` on a GPU (`gpu.py`).

Every contender is checked against the plain rules before it is timed, and all of them are timed in turn within
one run, so that ratios are of the same minutes on the same machine.
"""
