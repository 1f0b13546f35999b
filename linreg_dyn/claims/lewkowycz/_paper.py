"""What the claims of this paper share.

Conventions: loss `sum 1/2 (f - y)^2` over the samples, total loss `+ lam/2 |theta|^2`, NTK parameterisation, t is the
time of the gradient flow (step * learning rate), k the degree of homogeneity.
"""

from __future__ import annotations

from linreg_dyn.claims.core import Source

PAPER = "lewkowycz2020"


def source(locator: str) -> Source:
    """A place in the paper."""
    return Source(PAPER, locator)
