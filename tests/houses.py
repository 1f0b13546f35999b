"""What the tests of `linreg-dyn simulate` share: the command on a made-up data set."""

from linreg_dyn.cli import main


def simulate(data, out, *options):
    where = ["--data", str(data), "--x", "area", "--y", "price"] if data else []
    return main(["simulate", *where, "--out", str(out), "--depth", "3", *map(str, options)])
