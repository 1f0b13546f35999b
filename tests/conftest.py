"""Hypothesis profiles: dev (default), ci (derandomised) and nightly; what tests of several files are given."""

import os
import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

_quiet = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=50, **_quiet)
settings.register_profile("ci", max_examples=300, derandomize=True, **_quiet)
settings.register_profile("nightly", max_examples=10_000, **_quiet)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in the background of a shell. Processes inherit what is ignored, so those of tests would not hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _keep_sigterm():
    """The command line changes what a signal does, for its process to end well."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def one_thread():
    """torch works in one thread: what it adds up has one order, and tests beside this one have their core."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def fake(monkeypatch):
    """The made-up registry of claims in the place of the real one."""
    from linreg_dyn import claims
    from tests import fake_registry

    monkeypatch.setattr(claims, "select", fake_registry.select)
    monkeypatch.setattr(claims, "audit", fake_registry.audit)


@pytest.fixture
def houses(tmp_path):
    """A falling line with noise, in units far from normalised."""
    import pandas as pd

    rng = np.random.default_rng(5)
    area = rng.uniform(40, 200, 60)
    price = 9e5 - 1500 * area + rng.normal(0, 2e4, 60)
    path = tmp_path / "houses.csv"
    pd.DataFrame({"area": area, "price": price, "town": "Rome", "same": 1.0}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def small_sweep():
    """The document of a sweep of many chunks."""
    from tests import sweeps

    return sweeps.text()


@pytest.fixture(scope="session")
def undisturbed_store(small_sweep, tmp_path_factory):
    """What its store holds when nothing happens to it."""
    from tests import sweeps

    return sweeps.undisturbed(small_sweep, tmp_path_factory.mktemp("undisturbed") / "store.zarr")


@pytest.fixture
def context(tmp_path):
    """What experiments of `toy_experiments` are given."""
    from validation.context import Context

    return Context(tmp_path / "unused")


@pytest.fixture
def where(tmp_path):
    """Where a queue keeps its records and what is not finished."""
    return {"folder": tmp_path / "records", "work": tmp_path / "work"}
