"""Every update rule of scalar deep linear nets, written once.

With `W = w_1 ... w_d` the end-to-end weight and `W/w_i` the product of the *other* weights, every method
has one shape (Ginsburg, eqs. 7-12)

    w_i  <-  w_i + lr * velocity_i  =  (1 - 2 lr decay) w_i  -  2 lr g (W/w_i),
    velocity_i = -2 (g (W/w_i) + decay w_i),

and a method is only its residual `g`. The gradient flow is `dw_i/dt = velocity_i` with time in units of
`lr * step`. `decay` is the `mu` of the loss `L + mu * sum w_i^2`, so that its gradient carries a factor 2.

Plain arithmetic (`+ - *`) and integer loops only: the same functions run on float64, exact rationals, sympy
symbols and Arb balls, and numba compiles them for the CPU and for CUDA. `W/w_i` is a product, never a
division: weights may be zero.
"""

from linreg_dyn.arithmetic import fused, one


def velocity(w, others, g, decay):
    """Right-hand side of the flow for one layer: `-2 (g * others + decay * w)`, with `others = W/w_i`."""
    return -2 * (g * others + decay * w)


def contraction(lr, decay):
    """What weight decay leaves of a weight in one step, `1 - 2 lr decay`: the same for every layer."""
    return 1 - 2 * lr * decay


def pull(g, lr):
    """How strongly a step pulls along `W/w_i`, `-2 lr g`: the same for every layer."""
    return -(lr + lr) * g  # a sum costs less than a product where it matters


def move(w, pull, others, contraction):
    """One discrete step of one layer, `contraction w + pull W/w_i`; `pull` may hold a part of `W/w_i` already."""
    return fused(pull, others, contraction * w)


def layer_step(w, others, g, lr, decay):
    """One discrete step of one layer, `w + lr * velocity` (Ginsburg, right-hand side of eq. 8, 11, 12)."""
    return move(w, pull(g, lr), others, contraction(lr, decay))


def push(g):
    """How strongly the heavy ball is pushed along `W/w_i`, `-2 g`: the same for every layer."""
    return -(g + g)


def force(w, share, decay):
    """What drives the heavy ball, `velocity` of a layer whose `share = push W/w_i` is known: `share - 2 decay w`."""
    return fused(-(decay + decay), w, share)


def accumulate(v, force, momentum):
    """Velocity of the heavy ball after a step, `momentum v + force` (Polyak 1964, as torch.optim.SGD has it).

    The heavy ball then moves by `lr v`.
    """
    return fused(momentum, v, force)


def look_ahead(v, force, momentum):
    """Nesterov's direction `force + momentum v`, with `v` accumulated already; the step is `lr` times it."""
    return fused(momentum, v, force)


def drift(w, direction, lr):
    """One step of one layer along a direction, `w + lr direction`."""
    return fused(lr, direction, w)


def gradient_descent(W):
    """Residual of gradient descent on `L = (W - 1)^2` (eq. 5)."""
    return W - 1


def noise_augmentation(W, eta):
    """Residual when the inputs are multiplied by `1 + eta` (eq. 11); also dropout and drop-connect noise."""
    return (1 + eta) * fused(1 + eta, W, -1)


def sgd_noise(W, eta):
    """Residual with additive gradient noise `eta` (eq. 12)."""
    return W - 1 + eta


def mini_batch(W, m2, m1):
    """Residual of a real mini-batch with moments `m2 = mean(x^2)`, `m1 = mean(x y)` (section 5)."""
    return fused(m2, W, -m1)


def end_to_end(weights):
    """`W`, the product of all weights of a sequence, by pairs: `((w_1 w_2) (w_3 w_4)) ... w_d`."""
    W = one(weights[0])
    for i in range(0, len(weights) - 1, 2):
        W = W * (weights[i] * weights[i + 1])
    return W * weights[len(weights) - 1] if len(weights) % 2 else W


def others(weights):
    """`[W/w_1, ..., W/w_d]` as a list, by products from both ends (no division; zeros allowed)."""
    out = [weights[0]] * len(weights)
    fill_others(weights, out)
    return out


def fill_others(weights, out):
    """Write `[W/w_1, ..., W/w_d]` to `out`; returns `W`."""
    W = fill_prefixes(weights, out)
    fill_shares(weights, one(weights[0]), out)
    return W


def fill_prefixes(weights, out):
    """Write the product before each pair of layers to the pair's first place of `out`; returns `W`."""
    prefix = one(weights[0])
    for i in range(0, len(weights) - 1, 2):
        out[i] = prefix
        prefix = prefix * (weights[i] * weights[i + 1])
    if len(weights) % 2:
        out[len(weights) - 1] = prefix
        prefix = prefix * weights[len(weights) - 1]
    return prefix


def fill_shares(weights, scale, out):
    """Write `scale W/w_i` to `out`, which holds what `fill_prefixes` wrote.

    From the last pair to the first: the product outside of a pair, times the other of the two.
    """
    suffix = scale
    if len(weights) % 2:
        last = len(weights) - 1
        out[last] = out[last] * suffix
        suffix = suffix * weights[last]
    for i in range(len(weights) // 2 * 2 - 2, -1, -2):
        outside = out[i] * suffix
        out[i] = outside * weights[i + 1]
        out[i + 1] = outside * weights[i]
        suffix = suffix * (weights[i] * weights[i + 1])


def fill_outsides(weights, out):
    """Turn what `fill_prefixes` wrote to `out` into products outside of each pair; returns `q = sum_i (W/w_i)^2`."""
    suffix = one(weights[0])
    q = suffix - suffix
    if len(weights) % 2:
        last = len(weights) - 1
        q = out[last] * out[last]
        suffix = weights[last]
    for i in range(len(weights) // 2 * 2 - 2, -1, -2):
        outside = out[i] * suffix
        first = outside * weights[i + 1]
        second = outside * weights[i]
        q = fused(first, first, fused(second, second, q))
        suffix = suffix * (weights[i] * weights[i + 1])
        out[i] = outside
    return q


def move_pairs(weights, outsides, pull, contraction):
    """Move every layer in place, given what `fill_outsides` wrote: for a pull that depends on its `q`."""
    if len(weights) % 2:
        last = len(weights) - 1
        weights[last] = move(weights[last], pull, outsides[last], contraction)
    for i in range(0, len(weights) - 1, 2):
        first = weights[i]
        second = weights[i + 1]
        weights[i] = move(first, pull, outsides[i] * second, contraction)
        weights[i + 1] = move(second, pull, outsides[i] * first, contraction)


def move_all(weights, prefixes, pull, contraction):
    """Move every layer in place, given what `fill_prefixes` wrote: `fill_shares` and `move` in one pass."""
    suffix = pull
    if len(weights) % 2:
        last = len(weights) - 1
        w = weights[last]
        weights[last] = move(w, suffix, prefixes[last], contraction)
        suffix = suffix * w
    for i in range(len(weights) // 2 * 2 - 2, -1, -2):
        outside = prefixes[i] * suffix
        first = weights[i]
        second = weights[i + 1]
        weights[i] = move(first, outside, second, contraction)
        weights[i + 1] = move(second, outside, first, contraction)
        suffix = suffix * (first * second)


def step(weights, g, lr, decay):
    """One step of all layers of a sequence, as a list; the scalar reference of the ensemble kernels."""
    new = list(weights)
    prefixes = [weights[0]] * len(weights)
    fill_prefixes(weights, prefixes)
    move_all(new, prefixes, pull(g, lr), contraction(lr, decay))
    return new
