"""All eigenvalues of the Hessian of `L = (W - 1)^2`, in numbers, to high relative accuracy.

Where no weight is zero (`symbolic.hessian_eigenvalues`, with `a_i = 1/w_i^2` and `v_i = 1/w_i`)

    H = 2 W (1 - W) (diag(a) + c v v^T),       c = (2W - 1) / (1 - W),

so the eigenvalues are `2 W (1 - W) nu` for the zeros `nu` of `1 + c sum a_i / (a_i - nu)`. One zero lies
between every two neighbouring `a_i`, one beyond the largest (`c > 0`) or below the smallest (`c < 0`).
Taking the terms of the `m` entries `a_i > |nu|` as `1 + nu / (a_i - nu)`, the equation becomes

    S(nu) = sum_{a_i > |nu|} nu / (a_i - nu) + sum_{others} a_i / (a_i - nu) = -1/c - m,

whose left-hand side increases between poles. For `nu > 0` each term of `nu S'(nu)` is at least as large as
the term of `S(nu)` it comes from, and for `nu < 0` at least half of it: rounding errors of the terms reach
`nu` without being magnified. Rounding `a_i` scales rows and columns of `H`, which changes every eigenvalue
by no more than that factor (Ostrowski). What is left is the right-hand side, and it is computed from `W` to
about 100 bits. So each eigenvalue, large or small, is accurate to a few `depth` units in the last place,
unless `W` happens to lie within about 1e-15 of 1, 1/2 or some `(m - 1)/(2m - 1)` without being it: then the
relative error is up to `depth` times 1e-30 over that distance.
"""

import math

import numpy as np

from linreg_dyn._compiled import kernel
from linreg_dyn.problem import as_reals, layers_last

_SMALLEST, _LARGEST = 1e-75, 1e75  # ratios of squares stay in the range of float64


def spectrum(weights) -> np.ndarray:
    """Hessian eigenvalues of `L = (w_1 ... w_d - 1)^2`, ascending along the last axis.

    `weights` is `(..., layer)`, an xarray.DataArray in any order; so is the result, a float64 array. The sharpness
    is `spectrum(weights)[..., -1]`. Weights may be negative or zero; every eigenvalue has a small relative error (see
    the module), also where the weights spread over many orders of magnitude. Eigenvalues outside the range of float64
    come back as infinite or zero; a net with a weight that is NaN (recorded of one that has diverged) has eigenvalues
    that are NaN. Ginsburg, section 2.2 (whose printed eigenvalue at a minimum lacks the factor 2).

    Raises TypeError for what is not real numbers, ValueError for no layer, and for nonzero weights outside 1e-75 to
    1e75 in size.
    """
    w = as_reals("weights", layers_last(weights))
    if w.ndim == 0 or w.shape[-1] == 0:
        raise ValueError(f"weights must have shape (..., layer) with at least one layer, got {w.shape}")
    size = np.abs(w)
    beyond = ((size != 0) & (size < _SMALLEST)) | (size > _LARGEST)
    if beyond.any():
        raise ValueError(f"weights must be zero or between 1e-75 and 1e75 in size, got {w[beyond][0]:g}")
    rows = np.ascontiguousarray(w).reshape(-1, w.shape[-1])
    out = np.empty_like(rows)
    _spectra(rows, out)
    return out.reshape(w.shape)


@kernel()
def _spectra(rows, out):
    for n in range(rows.shape[0]):
        zeros = np.sum(rows[n] == 0)
        if np.isnan(rows[n]).any():
            out[n] = np.nan
        elif rows.shape[1] == 1:
            out[n] = 2.0
        elif zeros == 0:
            _without_zeros(rows[n], out[n])
        else:
            _with_zeros(rows[n], zeros, out[n])
        out[n].sort()


@kernel()
def _with_zeros(w, zeros, out):
    """Exact structure at `W = 0`: an arrow (one zero), one pair (two), nothing (three or more)."""
    out[:] = 0.0
    if zeros > 2:
        return
    high, _, exponent = _product(w[w != 0])  # P, the product of the others
    if zeros == 2:
        out[0] = -abs(math.ldexp(2 * high, exponent))
        out[-1] = -out[0]
        return
    # H_kk = 2 P^2 and H_kj = -2 P / w_j: x^2 - 2 P^2 x - (P s)^2 = 0 with s^2 = 4 sum 1/w_j^2. Its solutions
    # P s t and -P s / t, t = u + sqrt(u^2 + 1), u = |P| / s, are P^2 v and -s^2 / v, v = t / u, where u is large.
    s = 0.0
    for x in w:
        if x != 0:
            s += 4 / x**2
    s = math.sqrt(s)
    high = abs(high)
    u = math.ldexp(high / s, exponent)
    if u < 1:
        t = u + math.sqrt(u**2 + 1)
        out[-1] = math.ldexp(high * s * t, exponent)
        out[0] = -math.ldexp(high * s / t, exponent)
    else:
        v = 1 + math.sqrt(1 + 1 / u**2)
        out[-1] = math.ldexp(high**2 * v, 2 * exponent)
        out[0] = -(s**2) / v


@kernel()
def _without_zeros(w, out):
    d = w.size
    a = 1 / np.sort(np.abs(w))[::-1] ** 2
    high, low, exponent = _product(w)
    # c is a bounded function of large W, so there W may stop short of overflow (but not in the factor).
    shift = min(max(exponent, -1000), 900)
    W = (math.ldexp(high, shift), math.ldexp(low, shift))
    one_minus, two_minus = _affine(1.0, -1.0, W), _affine(-1.0, 2.0, W)
    if one_minus == 0:
        out[:] = 0.0
        out[-1] = 2 * np.sum(a)
        return
    power = exponent if exponent <= 900 else 2 * exponent
    scale = 2 * high * (one_minus if exponent <= 900 else -high)
    first = 0 if (one_minus > 0) == (two_minus > 0) else -1
    for k in range(d):
        nu = a[k] if two_minus == 0 else _zero(a, first + k, W, one_minus, two_minus)
        mantissa, e = math.frexp(nu)
        out[k] = math.ldexp(scale * mantissa, e + power)


@kernel()
def _zero(a, k, W, one_minus, two_minus):
    """Zero of the secular equation between `a[k]` and `a[k + 1]` (below all: -1, above: d - 1)."""
    d = a.size
    slack = 1e-12  # brackets that are formulas are widened by more than their rounding
    sign = 1.0
    if k == d - 1:
        low, high = a[k], (a[k] + two_minus / one_minus * np.sum(a)) * (1 + slack)
    elif k >= 0:
        low, high = a[k], a[k + 1]
    else:
        target = _target(d, W)
        if target == 0:
            return 0.0
        if target > 0:
            low = a[0] * (target / (d + target)) * (1 - slack)
            high = min(a[0], a[0] * (target / (1 + target)) * (1 + slack))
        else:
            sign = -1.0
            ratio = target * two_minus / one_minus  # |target| / (d - |target|)
            low, high = a[0] * ratio * (1 - slack), a[-1] * ratio * (1 + slack)
    return sign * _bisect(a, sign, low, high, W)


@kernel()
def _bisect(a, sign, low, high, W):
    """Bisection down to neighbouring floats, geometric while the bracket spans orders of magnitude."""
    while True:
        middle = 0.5 * (low + high) if high <= 4 * low else math.sqrt(low) * math.sqrt(high)
        if middle <= low or middle >= high:
            return middle
        if sign * _secular(sign * middle, a, W) < 0:
            low = middle
        else:
            high = middle


@kernel()
def _secular(nu, a, W):
    """`S(nu)` minus its right-hand side (see the module): increasing between poles."""
    total, m = 0.0, 0
    for x in a:
        if x > abs(nu):
            total += nu / (x - nu)
            m += 1
        else:
            total += x / (x - nu)
    return total - _target(m, W)


@kernel()
def _target(m, W):
    """`-1/c - m = ((m - 1) - (2m - 1) W) / (2W - 1)`, free of cancellation."""
    return _affine(m - 1.0, 1.0 - 2.0 * m, W) / _affine(-1.0, 2.0, W)


@kernel()
def _affine(p, q, W):
    """`p + q W`, rounded once, for a `W` given as an unevaluated sum of two floats."""
    product, error = _two_product(q, W[0])
    total = p + product
    back = total - p
    lost = (p - (total - back)) + (product - back)
    return total + (lost + (error + q * W[1]))


@kernel()
def _product(w):
    """The product of the weights as `(high + low) * 2^exponent`, to about 100 bits (Dekker)."""
    high, low, exponent = 1.0, 0.0, 0
    for x in w:
        mantissa, e = math.frexp(x)
        p, error = _two_product(high, mantissa)
        error += low * mantissa
        high = p + error
        low = error - (high - p)
        high, shift = math.frexp(high)
        low = math.ldexp(low, -shift)
        exponent += e + shift
    return high, low, exponent


@kernel()
def _two_product(x, y):
    """`x y` as its rounded value and the exact rounding error (Dekker's splitting at 27 bits)."""
    t = 134217729.0 * x
    xh = t - (t - x)
    t = 134217729.0 * y
    yh = t - (t - y)
    xl, yl = x - xh, y - yh
    p = x * y
    return p, ((xh * yh - p) + xh * yl + xl * yh) + xl * yl
