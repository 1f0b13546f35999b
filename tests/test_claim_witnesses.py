"""Witnesses against printed statements, recomputed with `Fraction`s and formulas written out by hand: nothing of the
checker, its language or the rules is used."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, permutations
from typing import Any

import pytest

from linreg_dyn.claims import audit, registry

F = Fraction


def numbers(given: dict[str, Any]) -> dict[str, Any]:
    return {n: [F(x) for x in v] if isinstance(v, list) else F(v) for n, v in given.items()}


def product(w: list[Fraction]) -> Fraction:
    out = F(1)
    for x in w:
        out *= x
    return out


def stepped(w: list[Fraction], lam: Fraction, g: Fraction) -> list[Fraction]:
    """w_i - 2 lambda g W/w_i."""
    W = product(w)
    return [x - 2 * lam * g * W / x for x in w]


def inverse_squares(w: list[Fraction]) -> Fraction:
    return sum((1 / x**2 for x in w), F(0))


def spread(w: list[Fraction]) -> Fraction:
    return max(x**2 for x in w) - min(x**2 for x in w)


def hessian_trace(w: list[Fraction]) -> bool:
    """tr H = sum of 2 W^2 / w_i^2."""
    W = product(w)
    return W == 1 and 2 * W**2 * inverse_squares(w) != inverse_squares(w)


def two_sides_of_the_step(w: list[Fraction], lam: Fraction) -> bool:
    """w - 2 lambda * (2 (W-1) W/w) against w - 2 lambda (W-1) W/w."""
    return stepped(w, 2 * lam, product(w) - 1) != stepped(w, lam, product(w) - 1)


def printed_loss_after_a_step(w: list[Fraction], lam: Fraction) -> bool:
    a, b = w
    new = (a - 2 * lam * (a * b - 1) * b) * (b - 2 * lam * (a * b - 1) * a)
    printed = (a * b - 1) * (1 - 2 * lam * (a**2 + b**2) + 4 * lam**2 * (a * b - 1))
    return (new - 1) ** 2 != printed**2


def strict_conclusion(w: list[Fraction]) -> bool:
    W = product(w)
    V = product(stepped(w, 1 / (4 * inverse_squares(w)), W - 1))
    k = (V - 1) / (W - 1)
    return abs(W - 1) < F(1, 2) and (W - 1) ** 2 * k**2 <= (V - 1) ** 2


def leaves_the_decay_band(w: list[Fraction], lam: Fraction, mu: Fraction) -> bool:
    def inside(w: list[Fraction]) -> bool:
        return 1 - mu * len(w) / (product(w) * inverse_squares(w)) <= product(w) <= 1

    W = product(w)
    v = [x - 2 * lam * ((W - 1) * W / x + mu * x) for x in w]
    return lam > 0 and mu > 0 and inside(w) and not inside(v)


def leaves_the_noise_band(w: list[Fraction], eta: Fraction, delta: Fraction) -> bool:
    W = product(w)
    v = stepped(w, F(1, 2) * F(2, 3) ** 5 / inverse_squares(w), (1 + eta) * (W * (1 + eta) - 1))
    return 0 < delta < F(1, 2) and abs(eta) < delta and abs(W - 1) < delta <= abs(product(v) - 1)


def slower_than_noted(w: list[Fraction], eta: list[Fraction], delta: Fraction, C: Fraction) -> bool:
    W, n = product(w), len(eta)
    lam, s2 = F(1, 2) * F(2, 3) ** 5 / inverse_squares(w), sum(e**2 for e in eta) / n
    admitted = sum(eta) == 0 and max(map(abs, eta)) < delta < F(1, 2) and abs(W - 1) < delta and max(map(abs, w)) < C
    return admitted and any(
        sum(1 - 4 * lam**2 * (1 + e) ** 4 * (W - 1 / (1 + e)) ** 2 * W**2 / (a * b) ** 2 for e in eta) / n
        > 1 - lam**2 * s2 / C**4
        for a, b in combinations(w, 2)
    )


def normalised(x: list[Fraction], y: list[Fraction]) -> bool:
    n = len(x)
    pairs = list(zip(x, y, strict=True))
    return sum(x) == sum(y) == 0 and sum(a * a for a in x) == sum(a * b for a, b in pairs) == n == len(y)


def sums_are_not_one(x: list[Fraction], y: list[Fraction]) -> bool:
    return normalised(x, y) and (sum(a * a for a in x) != 1 or sum(a * b for a, b in zip(x, y, strict=True)) != 1)


def breaks_the_chain(w: list[Fraction], eta: Fraction, delta: Fraction) -> bool:
    W, S = product(w), inverse_squares(w)
    lam, g = 1 / (2 * delta * (1 + delta) * S), W - 1 + eta
    links = []
    for a, b in permutations(w, 2):
        k = 1 - 4 * lam**2 * g**2 * W**2 / (a * b) ** 2
        second = 1 - 2 * lam**2 * g**2 * W**2 * (1 / a**2 + 1 / b**2) ** 2
        third = 1 - 4 * lam**2 * W**2 * S**2 * ((W - 1) ** 2 + eta**2)
        links.append(k >= second >= third >= 1 - 4 * lam**2 * S**2 * delta**2 * (1 + delta) ** 2)
    return 0 < delta < 1 and abs(eta) <= delta and abs(W - 1) < delta and not all(links)


def grows_at_the_second_step(w: list[Fraction], eta: Fraction, eta2: Fraction, delta: Fraction) -> bool:
    W = product(w)
    v = stepped(w, 1 / (2 * delta * (1 + delta) * inverse_squares(w)), W - 1 + eta)
    u = stepped(v, 1 / (2 * delta * (1 + delta) * inverse_squares(v)), product(v) - 1 + eta2)
    admitted = 0 < delta < 1 and abs(eta) <= delta and abs(eta2) <= delta and abs(W - 1) < delta
    return admitted and delta <= abs(product(v) - 1) and spread(u) > spread(v)


def printed_band_factor(W: Fraction, eta: Fraction) -> bool:
    return abs(eta) < F(1, 2) and (W - 1) * (W - 1 / (1 + eta)) != (W - 1) * (W - 1 - eta / (1 + eta))


def no_decrease_outside(W: Fraction, eta: Fraction, delta: Fraction) -> bool:
    outside = not 1 - delta / (1 + delta) < W < 1 + delta / (1 - delta)
    return 0 < delta < F(1, 2) and abs(eta) <= delta and outside and (W - 1) * (W - 1 / (1 + eta)) <= 0


def stands_still_outside(w: list[Fraction], lam: Fraction, eta: Fraction) -> bool:
    W = product(w)
    gradients = [2 * (W - 1) * W / x for x in w]
    velocities = [-2 * lam * (W - 1 + eta) * W / x for x in w]
    change = sum(g * v for g, v in zip(gradients, velocities, strict=True))
    return lam > 0 and not (W - 1) * (W - 1 + eta) < 0 and change >= 0


def decreases_faster_by_less_noise(w: list[Fraction], eta: list[Fraction], delta: Fraction, q: Fraction) -> bool:
    """The mean of 4 lambda^2 (W - 1 + eta)^2 W^2 / (w_i w_j)^2 at Theorem 5.1's rates for eta and for q eta."""

    def taken(a: Fraction, b: Fraction, scale: Fraction) -> Fraction:
        lam = 1 / (2 * scale * delta * (1 + scale * delta) * inverse_squares(w))
        return sum((4 * lam**2 * (scale * e) ** 2 / (a * b) ** 2 for e in eta), F(0)) / len(eta)

    admitted = product(w) == 1 and sum(eta) == 0 and 0 < max(map(abs, eta)) <= delta < 1 and 0 < q < 1
    return admitted and any(taken(a, b, q) > taken(a, b, F(1)) for a, b in combinations(w, 2))


def after_noise(w: list[Fraction], eta: Fraction) -> Fraction:
    """W after a step at the rate of Theorem 4.1."""
    lam = F(1, 2) * F(2, 3) ** 5 / inverse_squares(w)
    return product(stepped(w, lam, (1 + eta) * (product(w) * (1 + eta) - 1)))


def loss_grows_outside(w: list[Fraction], eta: Fraction, delta: Fraction) -> bool:
    W = product(w)
    outside = 0 < W < 1 / (1 + delta) or 1 / (1 - delta) < W
    return abs(eta) <= delta < F(1, 2) and outside and (after_noise(w, eta) - 1) ** 2 >= (W - 1) ** 2


def is_thrown_out(w: list[Fraction], eta: Fraction, delta: Fraction) -> bool:
    inside = [1 / (1 + delta) <= W <= 1 / (1 - delta) for W in (product(w), after_noise(w, eta))]
    return abs(eta) <= delta < F(1, 2) and inside == [True, False]


BREAKS: dict[str, Callable[..., bool]] = {
    "ginsburg.hessian-eigenvalues": hessian_trace,
    "ginsburg.gd-step": two_sides_of_the_step,
    "ginsburg.gd-loss-d2": printed_loss_after_a_step,
    "ginsburg.thm-3.1-conclusion": strict_conclusion,
    "ginsburg.wd-band-stays.discrete": leaves_the_decay_band,
    "ginsburg.noise-band-factor": printed_band_factor,
    "ginsburg.noise-band": no_decrease_outside,
    "ginsburg.thm-4.1-along-trajectory": leaves_the_noise_band,
    "ginsburg.noise-optimization": loss_grows_outside,
    "ginsburg.noise-band-kept": is_thrown_out,
    "ginsburg.thm-4.1-note": slower_than_noted,
    "ginsburg.sgd-full-batch": sums_are_not_one,
    "ginsburg.sgd-noise-band": stands_still_outside,
    "ginsburg.thm-5.1-chain": breaks_the_chain,
    "ginsburg.thm-5.1-along-trajectory": grows_at_the_second_step,
    "ginsburg.large-batch-sharp": decreases_faster_by_less_noise,
}


def test_every_refuted_claim_has_its_formula_by_hand() -> None:
    ginsburg = [claim for claim in registry().values() if claim.id.startswith("ginsburg.")]
    assert set(BREAKS) == {claim.id for claim in ginsburg if claim.amended_by}


@pytest.mark.parametrize("name", BREAKS)
def test_the_witness_breaks_the_printed_statement(name: str) -> None:
    (item,) = audit([registry()[name]])
    assert item.verdict == "refuted"
    assert item.witness is not None
    assert BREAKS[name](**numbers(item.witness["given"]))


def test_the_formulas_by_hand_do_not_call_everything_a_witness() -> None:
    half, one = F(1, 2), F(1)
    assert not two_sides_of_the_step([one, one], half)
    assert not printed_loss_after_a_step([F(2), half], half)
    assert not leaves_the_decay_band([F(3, 4)], F(1, 8), half)
    assert not leaves_the_noise_band([one], F(1, 8), F(1, 4))
    assert not slower_than_noted([one, one], [F(1, 8), F(-1, 8)], F(1, 4), F(2))
    assert not breaks_the_chain([one, one], F(0), half)
    assert not grows_at_the_second_step([one, one], F(0), F(0), half)
    assert not printed_band_factor(F(2), F(0))
    assert not no_decrease_outside(F(2), F(1, 4), F(1, 4))
    assert not stands_still_outside([F(2)], one, half)
    assert not decreases_faster_by_less_noise([one, one], [F(0), F(0)], half, half)
    assert not loss_grows_outside([F(2)], F(0), F(1, 4))
    assert not is_thrown_out([one], F(1, 4), F(1, 4))
    assert not hessian_trace([F(2)])  # the last three are false wherever they are stated
    assert not strict_conclusion([F(2)])
    assert not sums_are_not_one([one, one], [one, one])
