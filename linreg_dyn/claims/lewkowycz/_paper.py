"""What the claims of this paper share.

Conventions: loss `sum 1/2 (f - y)^2` over the samples, total loss `+ lam/2 |theta|^2`, NTK parameterisation, t is the
time of the gradient flow (step * learning rate), k the degree of homogeneity, written `m + 1` where k - 1 divides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Sampler, Source

PAPER = "lewkowycz2020"


def source(locator: str) -> Source:
    """A place in the paper."""
    return Source(PAPER, locator)


# ---------------------------------------------------------------- one mode of the kernel
KERNEL = "gamma*exp(-2*m*lam*{t})"
MODE = ("k", "m + 1"), ("gt", KERNEL.format(t="t"))
INTEGRAND = f"exp(-{KERNEL.format(t='s')}/(2*m*lam) - (k - 2)*lam*s)"
SOLUTION = (
    f"exp({{gt}}/(2*m*lam) - k*lam*{{t}})*(exp(-gamma/(2*m*lam))*f0 + gamma*y*Integral({INTEGRAND}, s, 0, {{t}}))"
)


def solution(t: str = "t", **values: str) -> str:
    """Eq. 3 as printed, at time t, with k = m + 1 written k, and names replaced by `values` (m1 for m, ...)."""
    text = SOLUTION.format(gt=KERNEL.format(t=t), t=t)
    return re.sub(r"[A-Za-z_]\w*", lambda name: values.get(name[0], name[0]), text)


def given(kind: str, *names: str) -> dict[str, str]:
    """Given names of one kind."""
    return dict.fromkeys(names, kind)


def numbers(**ranges: tuple[float | Fraction, float | Fraction]) -> Sampler:
    """Reals of the given ranges, both signs for a range that begins below zero."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        return {n: falsify.rational(rng, low, high, level) for n, (low, high) in ranges.items()}

    return sample


def then(first: Sampler, more: Callable[[dict[str, Any]], dict[str, Any]]) -> Sampler:
    """What `more` makes of what `first` draws."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        return more(first(rng, depth, level))

    return sample
