"""What the plain functions need beyond `+ - * /`: steps that depend on a comparison or on how numbers are rounded.

`rules`, `observables` and `schedules.rates` are written in these, so that a driver can run them on any kind of
number: exact rationals and floats compare and branch here; for vectors of lanes a driver has its own.
"""


def fused(a, b, c):
    """`a * b + c`: compiled, machine numbers are rounded once, on any machine; called from Python, they are twice."""
    return a * b + c


def one(like):
    """1, as the kind of number that `like` is."""
    return like * 0 + 1


def larger(a, b):
    """`b` if `b > a`, else `a`."""
    return b if b > a else a


def smaller(a, b):
    """`b` if `b < a`, else `a`."""
    return b if b < a else a


def ratio(a, b):
    """`a / b` of numbers >= 0, and 0 where `b` is 0, as `a` then is too."""
    return a / b if b != 0 else b


def magnitude(a):
    """`|a|`."""
    return abs(a)
