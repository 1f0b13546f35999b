"""The commands of `linreg-dyn`, one module each: `add_parser(subparsers)` and `run(args) -> exit code`."""
