"""The command line: `linreg-dyn audit | claims | show | check | simulate | sweep | phase | ntk | figures`.

Each command is a module of `linreg_dyn.commands` with `add_parser(subparsers)`, which is quick, and
`run(args)`, which imports what it needs. Exit codes: 0 done, 1 a bar the user set was missed, 2 bad usage or
bad input (one line on stderr), 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence

COMMANDS = ("audit", "claims", "check", "simulate", "sweep", "phase", "ntk", "figures")
LEFT_BEHIND = "LAPACK"
"""A thread of this name works on after Ctrl-C (`ntk.spectra`)."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message: str):  # -> NoReturn
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; the parsed arguments carry the chosen command as `run`."""
    parser = _Parser(
        prog="linreg-dyn",
        description="Audit statements about the training dynamics of deep linear models, and simulate them.",
        epilog="example: linreg-dyn audit --html report --json report/claims.json. "
        "LINREG_DYN_TRACEBACK=1 shows where an error comes from.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"linreg_dyn.commands.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, and raises nothing for bad usage or bad input."""
    parser = build_parser()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # terminals and locales that lack a sign still get the rest
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped is interrupted: clean up the same way
    try:
        args = parser.parse_args(argv)
        if args.version:
            from linreg_dyn.report.meta import version

            print(f"linreg-dyn {version('linreg-dyn') or '(not installed)'}")
            return 0
        if not hasattr(args, "run"):
            parser.error("which command?")
        return args.run(args)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        print("linreg-dyn: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has gone: nothing more to say, and the interpreter must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, TypeError, OSError) as error:
        if os.environ.get("LINREG_DYN_TRACEBACK"):
            raise
        print(f"linreg-dyn: error: {' '.join(_told(error).split())}", file=sys.stderr)
        return 2


def program() -> None:
    """`main` as a process of its own."""
    code = main()
    if any(thread.name == LEFT_BEHIND for thread in threading.enumerate()):
        # At once: it would crash in an interpreter that takes itself apart.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _told(error: Exception) -> str:
    """What an error says, without the number that the operating system has for it."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


if __name__ == "__main__":
    program()
