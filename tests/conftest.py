"""Hypothesis profiles: dev (default), ci (derandomised) and nightly."""

import os

from hypothesis import HealthCheck, settings

_quiet = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=50, **_quiet)
settings.register_profile("ci", max_examples=300, derandomize=True, **_quiet)
settings.register_profile("nightly", max_examples=10_000, **_quiet)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
