"""What the tests of the command line share."""


def one_line_error(capsys):
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("linreg-dyn")
    return captured.err
