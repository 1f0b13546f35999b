"""`linreg-dyn ntk` as its tests call it: data of the user's own, and what is said, written and refused."""

import numpy as np
import xarray as xr
from matplotlib.image import imread

from linreg_dyn.cli import main


def ntk(out, *words):
    return main(["ntk", "--no-cache", "--out", str(out), *map(str, words)])


def said(capsys):
    """What was printed, by its names."""
    lines = capsys.readouterr().out.splitlines()
    return {line[:18].rstrip(): line[18:] for line in lines}


def read(path):
    return xr.load_dataset(path, engine="h5netcdf")


def ink(path):
    """How much of the left and of the right half of a picture is drawn on."""
    drawn = imread(path)[:, :, :3].min(axis=2) < 0.9
    return [half.mean() for half in np.array_split(drawn, 2, axis=1)]


def npz(folder, **arrays):
    """The name of a .npz file that holds these."""
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return str(path)


def own(size=12, seed=0):
    """A kernel and labels."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((size, 2 * size))
    return {"kernel": x @ x.T / size, "y": rng.integers(0, 10, size)}


def refused(tmp_path, capsys, given, words):
    """Exit code 2, one line that says these words (`.*`: anything between), and nothing written."""
    assert ntk(tmp_path / "out", *given) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    rest = error
    for part in words.split(".*"):
        assert part in rest, error
        rest = rest.partition(part)[2]
    assert not (tmp_path / "out").exists()
