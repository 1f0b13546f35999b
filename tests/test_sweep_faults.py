"""What may go wrong while a sweep runs, done to real processes that talk over TCP on the loopback interface.

After each fault the finished store has the bytes of the undisturbed one. Every wait has an end, and so does
every process.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from linreg_dyn.cli import main
from tests.sweeps import (
    POINTS,
    ROOT,
    Pause,
    again,
    completeness,
    results,
    start,
    text,
    undisturbed,
    units,
    until,
)

LONG = 50_000  # steps of a point that takes some hundredths of a second, so that a worker is at one when it dies


@pytest.fixture
def spec(small_sweep, tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(small_sweep)
    return path


@pytest.fixture
def pause(tmp_path):
    return Pause(tmp_path)


@pytest.fixture
def processes():
    """Processes started in a test end with it."""
    with ExitStack() as stack:

        def started(process):
            stack.callback(ended, process)
            return process

        yield started


def ended(process):
    with process:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def workers_of(process):
    """The worker processes of an embedded cluster."""
    found = psutil.Process(process.pid).children(recursive=True)
    return [child for child in found if is_worker(child)]


def is_worker(process):
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # over already: git, which told the commit
        return False


def alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def finish(process, code=0):
    said, complained = process.communicate(timeout=120)
    assert process.returncode == code, complained
    return said, complained


def test_a_worker_that_is_killed_costs_only_time(processes, pause, tmp_path):
    spec, store = tmp_path / "spec.toml", tmp_path / "store.zarr"
    spec.write_text(text(LONG))
    sweep = processes(start(spec, "--out", store, "--workers", 2, pause=pause))
    until(pause.reached)
    victim, other = workers_of(sweep)
    victim.kill()
    pause.let_go()
    said, complained = finish(sweep)
    assert f"{POINTS} chunks: 0 found, {POINTS} computed" in said
    assert not complained
    assert not alive(victim)
    assert not alive(other)
    assert results(store) == undisturbed(text(LONG), tmp_path / "undisturbed.zarr")
    assert units(store) == POINTS


def test_a_sweep_outlives_its_scheduler(spec, undisturbed_store, processes, pause, tmp_path):
    store = tmp_path / "store.zarr"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    def cluster():
        scheduler = processes(dask("scheduler", "--host", address.split(":")[0], "--port", address.split(":")[1]))
        options = ("--nthreads", "1", "--host", "127.0.0.1", "--death-timeout", "120", "--no-nanny")
        processes(dask("worker", f"tcp://{address}", *options))
        return scheduler

    scheduler = cluster()
    sweep = processes(start(spec, "--out", store, "--scheduler", f"tcp://{address}", pause=pause))
    until(pause.reached)
    os.killpg(scheduler.pid, signal.SIGKILL)
    scheduler.wait(timeout=60)
    cluster()
    pause.let_go()
    said, complained = finish(sweep)
    assert "lost the scheduler" in complained
    assert f"0 found, {POINTS} computed" in said
    assert results(store) == undisturbed_store
    assert units(store) == POINTS  # what was written before is not computed twice


def dask(role, *options):
    command = [sys.executable, "-m", f"distributed.cli.dask_{role}", *options, "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    return subprocess.Popen(command, cwd=ROOT, env=dict(os.environ, PYTHONWARNINGS="ignore"), **quiet)


def test_without_a_scheduler_the_sweep_says_so(spec, processes, tmp_path):
    nowhere = "tcp://127.0.0.1:9"
    sweep = processes(start(spec, "--out", tmp_path / "store.zarr", "--scheduler", nowhere, "--patience", 0.5))
    _, complained = finish(sweep, code=2)
    assert complained.startswith(f"linreg-dyn: error: no scheduler at {nowhere} within 0.5 s")
    assert complained.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_stopped_goes_on_later(
    number, spec, small_sweep, undisturbed_store, processes, pause, tmp_path
):
    store = tmp_path / "store.zarr"
    sweep = processes(start(spec, "--out", store, "--workers", 1, pause=pause))
    until(pause.reached)
    if number == signal.SIGKILL:  # the lock is asked while it is held, and taken once its holder is gone
        _, told = finish(processes(start(spec, "--out", store, "--workers", 0)), code=2)
        assert f"another sweep is writing to {store} (process {sweep.pid} on" in told
        assert told.count("\n") == 1
    family = workers_of(sweep)
    assert family
    if number == signal.SIGINT:
        os.killpg(sweep.pid, number)  # Ctrl-C reaches every process of the terminal
    else:
        sweep.send_signal(number)
    _, complained = finish(sweep, code=-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert number == signal.SIGKILL or complained == "linreg-dyn: interrupted\n"
    until(lambda: not any(map(alive, family)))  # workers end by themselves
    assert completeness(store) == "unfinished"
    assert units(store) == pause.units
    assert bool(list(store.rglob(".tmp-*"))) == (number == signal.SIGKILL)
    outcome = again(small_sweep, store)
    assert (outcome.found, outcome.computed) == (pause.units, POINTS - pause.units)
    assert results(store) == undisturbed_store
    assert completeness(store) == "complete"


def test_a_sweep_is_stopped_while_its_workers_start(spec, small_sweep, processes, tmp_path):
    sweep = processes(start(spec, "--out", tmp_path / "store.zarr", "--workers", 2))
    family = until(lambda: workers_of(sweep))
    os.killpg(sweep.pid, signal.SIGINT)
    assert finish(sweep, code=130) == ("", "linreg-dyn: interrupted\n")
    until(lambda: not any(map(alive, family)))
    assert again(small_sweep, tmp_path / "store.zarr").computed == POINTS


@contextmanager
def small_disk(path):
    """A file system of 128 KiB."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a file system needs a right that this process has not")
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_a_full_disk_stops_the_sweep_and_nothing_is_lost(undisturbed_store, spec, small_sweep, tmp_path, capsys):
    disk = tmp_path / "disk"
    with small_disk(disk):
        store = disk / "store.zarr"
        assert main(["sweep", str(spec), "--out", str(store), "--workers", "0"]) == 2
        complained = capsys.readouterr().err
        assert "No space left on device" in complained
        assert complained.count("\n") == 1
        before = units(store)
        assert before < POINTS
        subprocess.run(["mount", "-o", "remount,size=64M", disk], check=True)
        assert again(small_sweep, store).found == before
        assert results(store) == undisturbed_store


def test_a_quota_on_the_writer_stops_it_likewise(undisturbed_store, spec, small_sweep, processes, tmp_path):
    """No file may pass 12,000 bytes: shards and their descriptions fit, the ledger does not for all its lines."""
    store = tmp_path / "store.zarr"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    _, complained = finish(processes(start(spec, "--out", store, "--workers", 0, preexec_fn=limit)), code=2)
    assert "File too large" in complained
    before = units(store)
    assert before < POINTS
    assert again(small_sweep, store).found == before
    assert results(store) == undisturbed_store
