"""What the tests of the symbolic layer share."""

# sympy's functions are annotated more loosely than what they return, and bad types are given on purpose.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOperatorIssue=false

from fractions import Fraction

import numpy as np
import sympy

EPS = np.finfo(float).eps


def random_point(depth, seed=0):
    """Rational weights with an end-to-end weight of order one."""
    rng = np.random.default_rng(seed)
    return [
        Fraction(int(n), 64) * (-1) ** int(s)
        for n, s in zip(rng.integers(52, 78, depth), rng.integers(0, 2, depth), strict=True)
    ]


def rational(x):
    return sympy.Rational(x.numerator, x.denominator)


def at(expression, w, /, **values):
    """Exact value of an expression at rational weights; the other symbols by name."""
    known = {f"w_{i}": rational(Fraction(x)) for i, x in enumerate(w, 1)}
    known |= {name: rational(Fraction(x)) for name, x in values.items()}
    return expression.xreplace({s: known[s.name] for s in expression.free_symbols})


W0, A = sympy.Symbol("W_0", real=True), sympy.Symbol("a", real=True)
