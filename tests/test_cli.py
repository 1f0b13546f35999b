"""The program itself: its commands, its help, its errors."""

import os
import re
import subprocess
import sys

import pytest

from linreg_dyn import cli
from linreg_dyn.claims.core import VERDICTS
from linreg_dyn.commands import audit as audit_command
from tests.command_line import one_line_error


# ---------------------------------------------------------------- the program
def test_without_a_command_it_asks_for_one(capsys):
    assert cli.main([]) == 2
    assert "which command?" in one_line_error(capsys)


def test_an_unknown_command_is_one_line(capsys):
    assert cli.main(["adit"]) == 2
    assert "'adit'" in one_line_error(capsys)


@pytest.mark.parametrize("command", ["show", *cli.COMMANDS])
def test_every_command_has_help_with_an_example(command, capsys):
    assert cli.main([command, "--help"]) == 0
    assert re.search(f"examples?: linreg-dyn {command}", " ".join(capsys.readouterr().out.split()))


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("linreg-dyn ")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from linreg_dyn import cli; cli.main(['--help']); "
        "heavy = {'numpy', 'sympy', 'numba', 'matplotlib', 'xarray', 'jinja2', 'rich'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_stops_early_is_no_error():
    command = f"{sys.executable} -m linreg_dyn.cli audit --help | head -c 0"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


def test_a_locale_without_a_sign_still_gets_the_rest():
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    command = [sys.executable, "-m", "linreg_dyn.cli", "claims", "ginsburg.flow-invariant"]
    done = subprocess.run(command, capture_output=True, env=ascii_only, check=True)
    assert b"The flow conserves w\\u1d62\\xb2" in done.stdout


def test_an_error_of_the_system_is_told_in_words(capsys):
    assert cli.main(["audit", "chen.rate", "--json", "/proc/claims.json"]) == 2
    assert one_line_error(capsys).startswith("linreg-dyn: error: /proc/claims.json cannot be written: ")


def test_every_verdict_has_a_style():
    assert set(audit_command._STYLES) == set(VERDICTS)
