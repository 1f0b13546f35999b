"""The Hessian's structure and spectrum, and the solutions of the flow, from the symbolic layer."""

# sympy's functions are annotated more loosely than what they return, and bad types are given on purpose.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOperatorIssue=false

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy

from linreg_dyn import symbolic
from linreg_dyn.symbolic import TIME
from tests.symbolic_nets import EPS, W0, A, at, random_point, rational


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6])
def test_hessian_structure(depth):
    """Diagonal plus rank one, characteristic polynomial and secular function, exactly."""
    w = random_point(depth, 11)
    H = at(symbolic.hessian(depth), w)
    s = symbolic.hessian_eigenvalues(depth)
    v = sympy.Matrix([at(x, w) for x in s.vector])
    built = sympy.diag(*[at(x, w) for x in s.diagonal]) + at(s.rank_one, w) * v * v.T
    assert built == H
    x = s.eigenvalue
    w_known = dict(zip(symbolic.weights(depth), map(rational, w), strict=True))
    ours = s.characteristic_polynomial.xreplace(w_known)
    assert sympy.expand(ours - H.charpoly(x).as_expr(x)) == 0
    gaps = sympy.Mul(*(x - d for d in s.diagonal)).xreplace(w_known)
    assert sympy.simplify(s.secular.xreplace(w_known) * gaps - ours) == 0


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_hessian_at_a_minimum(depth):
    """`{0 (d - 1 times), 2 sum 1/w_i^2}`; the sum as the paper prints it, without its 2, is none."""
    w = [Fraction(3, 2), Fraction(-2, 3), *[Fraction(1)] * (depth - 3)]
    w += [Fraction(-1)] if depth > 2 else []
    if depth == 2:
        w[1] = Fraction(2, 3)
    total = sum(1 / x**2 for x in w)
    H = at(symbolic.hessian(depth), w)
    want = {0: depth - 1, rational(2 * total): 1}
    assert H.eigenvals() == want
    assert {at(k, w): m for k, m in symbolic.hessian_eigenvalues(depth).at_minimum.items()} == want
    assert at(symbolic.minimum_sharpness(depth), w) == rational(2 * total)
    assert rational(total) not in H.eigenvals()


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_hessian_where_balanced(depth):
    size = Fraction(4, 5)
    w = [size] * depth
    if depth > 1:
        w[0] = -size
    values = {"w": size, "W": Fraction(np.prod(np.array(w, dtype=object)))}
    balanced = symbolic.hessian_eigenvalues(depth).balanced
    got: dict = {}
    for value, count in balanced.items():
        known = at(value, [], **values)
        got[known] = got.get(known, 0) + count
    assert got == at(symbolic.hessian(depth), w).eigenvals()


@pytest.mark.parametrize(("start", "imbalance"), [(0.3, 1.7), (-0.8, 0.4), (2.5, 1.0), (0.4, 0.0)])
def test_explicit_solutions_solve_the_flow(start, imbalance):
    """Depths 1 and 2: `W(0) = W_0` and `dW/dt = -2 (W - 1) W^2 sum 1/w_i^2`, by mpmath at 30 digits."""
    logistic = symbolic.flow_solution(2, balanced=True).rhs
    cases = [(symbolic.flow_solution(1).rhs, lambda W: -2 * (W - 1))]
    cases.append((symbolic.flow_solution(2).rhs, lambda W: -2 * (W - 1) * mpmath.sqrt(imbalance**2 + 4 * W**2)))
    if start > 0:
        cases.append((logistic, lambda W: -4 * (W - 1) * W))
    for solution, rate in cases:
        f = sympy.lambdify(TIME, solution.subs({W0: sympy.Rational(start), A: sympy.Rational(imbalance)}), "mpmath")
        with mpmath.workdps(40):
            assert abs(f(mpmath.mpf(0)) - start) < 1e-30
            for t in (0.1, 0.7):
                assert abs(mpmath.diff(f, mpmath.mpf(t)) - rate(f(mpmath.mpf(t)))) < 1e-15


@pytest.mark.parametrize(
    ("depth", "W"),
    [(d, W) for d in (1, 3, 4, 7, 64) for W in ("-2.5", "-0.3", "0.2", "0.9", "1.5", "40") if d > 1 or float(W) < 1],
)
def test_balanced_clock_runs_at_the_rate_of_the_flow(depth, W):
    """`dT/dW = 1 / (2 d (1 - W) |W|^(2 - 2/d))`."""
    x = sympy.Symbol("x", real=True)
    above = float(W) > 1
    f = sympy.lambdify(x, symbolic.balanced_time(depth, x, above=above), "mpmath")
    with mpmath.workdps(40):
        value = mpmath.mpf(W)
        exponent = 2 - mpmath.mpf(2) / depth
        want = 1 / (2 * depth * (1 - value) * abs(value) ** exponent)
        assert abs(mpmath.diff(f, value) / want - 1) < 1e-14
        assert abs(mpmath.diff(f, value) / want - 2) > 0.5


def test_implicit_solution_is_the_quadrature():
    equation = symbolic.flow_solution(3)
    assert isinstance(equation.rhs, sympy.Integral)
    x, r, r0 = sympy.symbols("x r r_0", real=True)
    assert equation.rhs.limits == ((x, r0, r),)
    w = [0.5, 1.0, 1.5]
    b = {f"b_{i}": w[i - 1] ** 2 - w[0] ** 2 for i in (2, 3)}
    rate = 1 / float(
        equation.rhs.function.subs(x, 0.5).subs({s: b[s.name] for s in equation.free_symbols if s.name in b})
    )
    assert rate == pytest.approx(2 * (1 - 0.75) * 1.5, rel=8 * EPS)
