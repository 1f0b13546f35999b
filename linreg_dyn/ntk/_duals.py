"""What a layer does to two samples, without cancellation: dual activations of Gaussian pairs.

At infinite width the pre-activations of two samples are Gaussian, with standard deviations `r1`, `r2` and a
correlation c. A pair is kept as `minus = 1 - c` and `plus = 1 + c`, each to its own last digits: samples that nearly
coincide, or nearly are opposite, have an angle `sqrt(2 (1 - c))`, of which c alone keeps half the digits. Every sum
below is of nonnegative terms, or loses less than it keeps.

The functions are plain: they run on torch tensors as they are, and on machine numbers compiled; there LLVM
vectorises them, which it could not with the arcsine of a library.
"""

from __future__ import annotations

import inspect
import math
import sys
import zlib
from typing import Any

from numba.extending import overload, register_jitable

_HALF_PI = math.pi / 2
_TINY = sys.float_info.min


def root(x: Any) -> Any:
    """The square root."""
    return x.sqrt()


def select(mark: Any, a: Any, b: Any) -> Any:
    """`a` where `mark` holds, else `b`."""
    return a.where(mark, b)


def arcsine(s: Any) -> Any:
    """The arcsine of a number from 0 to 1/2."""
    return s.asin()


@overload(root)
def _root(x):
    return lambda x: math.sqrt(x)


@overload(select)
def _select(mark, a, b):
    return lambda mark, a, b: a if mark else b


# asin(s) = s (1 + z R(z)) with z = s^2 <= 1/4: R interpolated at 12 Chebyshev nodes, 6e-17 off the whole.
_R = (
    0.1666666666666665,
    0.07500000000020764,
    0.044642857103423646,
    0.03038194736709848,
    0.02237204763174451,
    0.017355259955786323,
    0.013929652902326633,
    0.011875494382636922,
    0.0078029494773533175,
    0.01603551434914882,
    -0.010749050339697808,
    0.028169218060881414,
)


@overload(arcsine)
def _arcsine(s):
    r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11 = _R

    def polynomial(s):
        z = s * s
        low = r0 + z * (r1 + z * (r2 + z * (r3 + z * (r4 + z * r5))))
        high = r6 + z * (r7 + z * (r8 + z * (r9 + z * (r10 + z * r11))))
        cube = z * z * z
        return s + s * z * (low + cube * cube * high)

    return polynomial


@register_jitable
def _half_arc(value, complement):
    """For `value` in [0, 1] and `complement = 1 - value`: whether it is small; its arcsine, else half its arccosine."""
    small = value < 0.5
    return small, arcsine(select(small, value, root(0.5 * complement)))


@register_jitable
def dense(minus, plus, a1, a2, r1, r2, variance):
    """Pairs after a bias of that `variance` > 0: standard deviations a before, `r = sqrt(a^2 + variance)` after."""
    before, after = a1 * a2, r1 * r2
    apart = (a1 - a2) * (a1 - a2) / (after + before + variance)
    together = 1.0 + (a1 * a1 + a2 * a2 + variance) / (after + before)
    return (before * minus + variance * apart) / after, (before * plus + variance * together) / after


@register_jitable
def rectified(minus, plus, bend, straight):
    """Pairs after `max(x, 0) + slope min(x, 0)`, and `E[phi' phi'] / E[phi'^2]`.

    `bend = (1 - slope)^2 / (pi (1 + slope^2))`, `straight = 1 - pi bend`; the arc-cosine kernels of Cho and Saul
    2009 (eq. 6) at slope 0: `c -> c + bend (sin(angle) - angle c)`.
    """
    positive = plus >= minus
    least = select(positive, minus, plus)
    most = select(positive, plus, minus)
    cosine = 0.5 * (most - least)
    small, arc = _half_arc(cosine, least)
    angle = select(small, _HALF_PI - arc, 2.0 * arc)  # between the lines on which the samples lie
    turned = bend * (root(least * most) - angle * cosine)
    near = least - turned
    near = select(near > 0.0, near, 0.0 * near)
    return (
        select(positive, near, near + (1.0 + straight) * cosine),
        select(positive, 2.0 - near, least + turned + (1.0 - straight) * cosine),
        select(positive, 1.0 - bend * angle, straight + bend * angle),
    )


@register_jitable
def error_function(minus, plus, r1, r2, o1, o2):
    """Pairs after `erf(x)`, and `E[phi' phi']`; `o = sqrt(E[phi^2])` (Williams 1997: `2/pi asin(2 q12 / ...)`).

    Samples that coincide, or are opposite, do so exactly. Other pairs come out off by eps, not by digits of their own,
    which is next to nothing at first, as erf is smooth. But the layers behind multiply it as they do a distance of
    samples, by `weight_std^2 E[phi'^2]` each: much, where deep networks have large weights.
    """
    positive = plus >= minus
    least = select(positive, minus, plus)
    cosine = 1.0 - least
    both = r1 * r2
    width = root(1.0 + 2.0 * r1 * r1) * root(1.0 + 2.0 * r2 * r2)
    value = 2.0 * both * cosine / width
    complement = (1.0 + 2.0 * r1 * r1 + 2.0 * r2 * r2) / width / (width + 2.0 * both) + 2.0 * both * least / width
    small, arc = _half_arc(value, complement)
    norm = o1 * o2
    norm = select(norm > _TINY, norm, 0.0 * norm + _TINY)
    cosine = 2.0 / math.pi * select(small, arc, _HALF_PI - 2.0 * arc) / norm
    cosine = select((cosine < 1.0) & ((least > 0.0) | (r1 != r2)), cosine, 0.0 * cosine + 1.0)
    cosine = select(positive, cosine, -cosine)
    return 1.0 - cosine, 1.0 + cosine, 4.0 / math.pi / (width * root(complement * (2.0 - complement)))


SOURCES = zlib.crc32(inspect.getsource(sys.modules[__name__]).encode())
"""Kernels that call these functions are kept on disk under this fingerprint too."""
