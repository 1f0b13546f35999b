"""The same training in JAX: `jit` of a `fori_loop` over the steps of the whole batch, on the CPU or a GPU.

Three ways to the force: by hand, as the rules are written (products from both ends); by hand with the division
`W/w_i`, which is faster and fails at zero weights; and by `jax.grad` of the loss. Weights are arrays
(layer, trajectory), or for few layers a tuple of arrays (trajectory,): whichever XLA runs faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from linreg_dyn.problem import Array
from tests.benchmarks.cases import (
    BATCH_SIZE,
    HALF_WIDTH,
    INERT,
    MOMENTUM,
    NOISY,
    TABLE,
    Case,
    Contender,
    Unavailable,
    data,
    residual,
)

FORMS = {"JAX": "products", "JAX W/w": "division", "JAX grad": "gradient"}
FEW_LAYERS = 8
SEED = 5


def load():
    """`jax` with float64 switched on.

    Raises:
        Unavailable: it is not installed.
    """
    try:
        import jax
    except ImportError as error:
        raise Unavailable(f"JAX is not installed ({error}): pip install '.[bench]'") from None
    jax.config.update("jax_enable_x64", True)
    return jax


def contender(name: str, device: str = "cpu", most_steps: int = 10**9) -> Contender:
    """JAX with the force of `FORMS[name]`, on the first device of a kind."""

    def prepare(case: Case, starts: Array, steps: int) -> Callable:
        jax = load()
        try:
            where = jax.devices(device)[0]
        except RuntimeError as error:
            raise Unavailable(f"JAX sees no {device}: {str(error).splitlines()[0]}") from None
        with jax.default_device(where):
            w = jax.device_put(_columns(case, starts), where)
            run = compiled(case, FORMS[name], steps)
            run = run.lower(w).compile()
        return lambda: jax.block_until_ready(run(w))

    return Contender(name, prepare, _weights, draws, most_steps=most_steps)


def _columns(case: Case, starts: Array):
    columns = np.ascontiguousarray(starts.T, dtype=case.dtype)
    return tuple(columns) if case.depth <= FEW_LAYERS else columns


def _weights(w) -> Array:
    return np.stack([np.asarray(column, dtype=np.float64) for column in w], axis=1)


def compiled(case: Case, form: str, steps: int):
    """A jitted function from weights to weights after all steps."""
    jax = load()
    force, nothing = FORCES[form], jax.tree.map

    def step(t, state):
        w, v = state
        drawn = draw(case, t, len(w[0]))
        f, rate = force(case, w, drawn)
        if case.rule in INERT:
            v = nothing(lambda v, f: MOMENTUM * v + f, v, f)
            f = nothing(lambda f, v: f + MOMENTUM * v, f, v) if case.rule == "nesterov" else v
        return nothing(lambda w, f: w + rate * f, w, f), v

    def run(w):
        v = nothing(lambda w: w * 0, w) if case.rule in INERT else ()
        return jax.lax.fori_loop(0, steps, step, (w, v))[0]

    return jax.jit(run)


def _by_products(case: Case, w, drawn):
    jax = load()
    if isinstance(w, tuple):
        left, others = [w[0] * 0 + 1], [w[0]] * len(w)
        for column in w[:-1]:
            left.append(left[-1] * column)
        W, right = left[-1] * w[-1], left[0]
        for i in range(len(w) - 1, -1, -1):
            others[i] = left[i] * right
            right = right * w[i]
        return _by_hand(case, w, tuple(others), W, drawn)
    one = jax.numpy.ones_like(w[0])
    W, left = jax.lax.scan(lambda product, w: (product * w, product), one, w)
    _, others = jax.lax.scan(lambda product, both: (product * both[0], product * both[1]), one, (w, left), reverse=True)
    return _by_hand(case, w, others, W, drawn)


def _by_division(case: Case, w, drawn):
    W = _product(w)
    return _by_hand(case, w, load().tree.map(lambda w: W / w, w), W, drawn)


def _by_hand(case: Case, w, others, W, drawn):
    jax = load()
    g, rate = residual(case, W, drawn), case.rate
    if case.rule == "adaptive":
        rate = case.c * W * W / sum(o * o for o in others)
    return jax.tree.map(lambda w, o: -2 * (g * o + case.decay * w), w, others), rate


def _by_gradient(case: Case, w, drawn):
    jax = load()

    def loss(w):
        W = _product(w)
        if case.rule == "batch":
            value = drawn[0] * W * W - 2 * drawn[1] * W
        elif case.rule == "sgd":
            value = (W - 1) ** 2 + 2 * drawn * W
        elif case.rule in NOISY:
            value = ((1 + drawn) * W - 1) ** 2
        else:
            value = (W - 1) ** 2
        if case.decay:
            value = value + case.decay * sum(w[i] * w[i] for i in range(case.depth))
        return value.sum()

    rate = case.c / sum(1 / (w[i] * w[i]) for i in range(case.depth)) if case.rule == "adaptive" else case.rate
    return jax.tree.map(lambda slope: -slope, jax.grad(loss)(w)), rate


FORCES = {"products": _by_products, "division": _by_division, "gradient": _by_gradient}


def _product(w):
    if not isinstance(w, tuple):
        return load().numpy.prod(w, axis=0)
    W = w[0]
    for column in w[1:]:
        W = W * column
    return W


def draw(case: Case, t, trajectories: int) -> Any:
    """The noise of step `t`, or the moments of its batches, for all trajectories: threefry, a key for every step."""
    jax = load()
    random, dtype = jax.random, case.dtype
    if case.rule not in (*NOISY, "batch"):
        return None
    key, shape = random.fold_in(random.key(SEED), t), (trajectories,)
    if case.rule == "batch":
        samples = data()
        squares, products = (jax.numpy.asarray(array, dtype=dtype) for array in (samples.squares, samples.products))
        pick = jax.vmap(lambda key: random.choice(key, len(samples), (BATCH_SIZE,), replace=False))
        chosen = pick(random.split(key, trajectories))
        return squares[chosen].mean(axis=1), products[chosen].mean(axis=1)
    if case.rule == "rademacher":
        return HALF_WIDTH * random.rademacher(key, shape, dtype)
    if case.rule == "gaussian":
        return HALF_WIDTH / 3 * random.truncated_normal(key, -3.0, 3.0, shape, dtype)
    if case.rule == "table":
        return HALF_WIDTH * jax.numpy.asarray(TABLE, dtype=dtype)[random.randint(key, shape, 0, len(TABLE))]
    return random.uniform(key, shape, dtype, -HALF_WIDTH, HALF_WIDTH)


def draws(case: Case, trajectories: int, steps: int):
    """What the compiled loops draw, step by step."""
    one = load().jit(lambda t: draw(case, t, trajectories))
    drawn = [one(t) for t in range(steps)]
    if case.rule == "batch":
        return tuple(np.array([pair[k] for pair in drawn], dtype=np.float64) for k in range(2))
    return np.array(drawn, dtype=np.float64)
