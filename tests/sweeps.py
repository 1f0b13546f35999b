"""What the tests of sweeps share: a small sweep of many chunks, its undisturbed store, and their comparison."""

import json
import math
import subprocess
import sys
import time
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from linreg_dyn import cli, files
from linreg_dyn.sweep import plan, run, spec, store

ROOT = Path(__file__).parents[1]
POINTS = 12
# One point a chunk. Noise and a split into lanes would show any number drawn twice or in another order.
SPEC = f"""
[run]
method = "NoiseAugmentation"
half_width = 0.3
depth = 2
steps = STEPS
trajectories = 512
starts = {{distribution = "near_minimum"}}
[grid]
learning_rate = {{log = [1e-3, 1.0], points = {POINTS // 2}}}
seed = [1, 2]
[record]
every = 100
observables = ["loss"]
reduce = ["mean"]
final_weights = true
[store]
chunk_seconds = 1e-9
"""


def text(steps=400):
    return SPEC.replace("STEPS", str(steps))


def planned(document):
    return plan.make(spec.parse(tomllib.loads(document)))


def undisturbed(document, path):
    """The store of a sweep that nothing happens to, computed in this process."""
    outcome = run.run(planned(document), path)
    assert outcome.computed == outcome.total
    return results(path)


def again(document, store):
    """Run the sweep once more, in this process."""
    return run.run(planned(document), store)


def results(path):
    """Content of every file of the Zarr store by key, but the group's own, which names the time's commit."""
    files = {str(file.relative_to(path)): file for file in sorted(Path(path).rglob("*")) if file.is_file()}
    assert not [key for key in files if ".tmp-" in key or "/parts/" in key]
    return {key: file.read_bytes() for key, file in files.items() if not key.startswith(".") and key != "zarr.json"}


def completeness(path):
    return json.loads((Path(path) / "zarr.json").read_text())["attributes"]["completeness"]


def units(path):
    """Lines of the ledger that finish a unit; none where there is no ledger yet."""
    ledger = Path(path) / ".sweep" / "ledger.jsonl"
    return ledger.read_text().count('"unit"') if ledger.exists() else 0


def start(*options, pause=None, **kwargs):
    """`linreg-dyn sweep` as a process of its own, which takes the signals of a terminal.

    With `pause`, a `Pause`, it stops there until it is let go.
    """
    module = ["linreg_dyn.cli"] if pause is None else ["tests.sweeps", pause.folder, str(pause.units)]
    command = [sys.executable, "-m", *module, "sweep", *map(str, options)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen(command, cwd=ROOT, **pipes, **kwargs)


@dataclass
class Pause:
    """Where a sweep stops: once so many units are finished, with a file of the next one that has no name yet.

    So that what a test does then is done in the middle of things, however quick or slow the machine is.
    """

    folder: Path
    units: int = 2

    def reached(self):
        """Whether the sweep has stopped."""
        return (self.folder / "reached").exists()

    def let_go(self):
        """Let the sweep go on."""
        (self.folder / "go").touch()

    def main(self, arguments):
        """The sweep itself, in its own process."""
        path = arguments[arguments.index("--out") + 1]

        @contextmanager
        def atomic_file(target):
            with files.atomic_file(target) as temporary:
                yield temporary
                if units(path) == self.units and not self.reached():
                    (self.folder / "reached").touch()
                    until((self.folder / "go").exists, math.inf)

        store.atomic_file = atomic_file
        return cli.main(arguments)


def until(condition, seconds=120):
    """Wait until `condition()` is true, and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def cut(path):
    """Damage a file: its last byte is gone."""
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    """Damage a file: one bit of it is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


class Stopped(Exception):
    """Stands for whatever ends a run."""


def stopping_after(count):
    """The engine of this process, which is stopped after `count` chunks."""

    def engine(tasks):
        for k, pair in enumerate(run.here(tasks)):
            if k == count:
                raise Stopped
            yield pair

    return engine


if __name__ == "__main__":
    sys.exit(Pause(Path(sys.argv[1]), int(sys.argv[2])).main(sys.argv[3:]))
