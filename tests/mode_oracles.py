"""Eq. 3 of Lewkowycz & Gur-Ari by mpmath's quadrature, with nothing but the rates of the ODE."""

import mpmath


def eq_3(t, gamma, f0, y, l2, degree):
    """The solution as the paper prints it; for moderate arguments and degree != 1."""
    t, gamma, l2, k = (mpmath.mpf(x) for x in (t, gamma, l2, degree))

    def over(time):
        return gamma * mpmath.exp(-2 * (k - 1) * l2 * time) / (2 * (k - 1) * l2)

    integral = mpmath.quad(lambda x: mpmath.exp(-over(x) - (k - 2) * l2 * x), mpmath.linspace(0, t, 17))
    return mpmath.exp(over(t) - k * l2 * t) * (mpmath.exp(-over(0)) * f0 + gamma * y * integral)


def mpmath_weights(t, gamma, l2, degree):
    """(A, B) to about the working precision, for degrees from 1 on.

    B is the integral of `exp(psi(x))` over the time x before t, `psi` the logarithm of the kernel then and of what
    is left at t of what it did. For k >= 1 psi is concave: it is cut where it is 1, 2, 4 ... below its maximum, so
    that each piece is smooth, and left out where nothing counts.
    """
    t, gamma, l2, k = (mpmath.mpf(x) for x in (t, gamma, l2, degree))
    fall, now = 2 * (k - 1) * l2, gamma * mpmath.exp(-2 * (k - 1) * l2 * t)

    def work(x):  # of the kernel, within x before t
        return now * (mpmath.expm1(fall * x) / fall if fall else x)

    def psi(x):
        return fall * x - work(x) - k * l2 * x

    def slope(x):
        return fall - now * mpmath.exp(fall * x) - k * l2

    top = mpmath.mpf(0) if slope(0) <= 0 else t if slope(t) >= 0 else _crossing(slope, mpmath.mpf(0), t, slope=True)
    levels = [mpmath.mpf(2) ** j for j in range(0, 9) if mpmath.mpf(2) ** j < 6 * mpmath.mp.dps]
    cuts = {top}
    for end in (mpmath.mpf(0), t):
        crossed = [h for h in levels if psi(end) < psi(top) - h]
        cuts |= {_crossing(lambda x, h=h: psi(x) - psi(top) + h, top, end) for h in crossed}
        cuts |= set() if len(crossed) == len(levels) else {end}
    integral = mpmath.quad(lambda x: mpmath.exp(psi(x) - psi(top)), sorted(cuts))
    return mpmath.exp(-work(t) - k * l2 * t), now * mpmath.exp(psi(top)) * integral


def _crossing(function, first, last, slope=False):
    """Where a function that is positive at `first` and negative at `last` is 0, or its integral has its maximum.

    By bisection, until the function, or for a `slope` its integral, changes by less than 0.01 over what is left.
    """
    up, down = function(first), function(last)
    while (up - down) * (abs(last - first) if slope else 1) > 0.01:
        middle = (first + last) / 2
        value = function(middle)
        if value > 0:
            first, up = middle, value
        else:
            last, down = middle, value
    return (first + last) / 2
