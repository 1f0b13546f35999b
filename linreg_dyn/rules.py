"""Every update rule of scalar deep linear nets, written once.

With `W = w_1 ... w_d` the end-to-end weight and `W/w_i` the product of the *other* weights, every method
has one shape (Ginsburg, eqs. 7-12)

    w_i  <-  w_i + lr * velocity_i,        velocity_i = -2 (g (W/w_i) + decay w_i),

and a method is only its residual `g`. The gradient flow is `dw_i/dt = velocity_i` with time in units of
`lr * step`. `decay` is the `mu` of the loss `L + mu * sum w_i^2`, so that its gradient carries a factor 2.

Plain arithmetic (`+ - *`) and integer loops only: the same functions run on float64, exact rationals, sympy
symbols and Arb balls, and numba compiles them for the CPU and for CUDA. `W/w_i` is a product, never a
division: weights may be zero.
"""


def velocity(w, others, g, decay):
    """Right-hand side of the flow for one layer: `-2 (g * others + decay * w)`, with `others = W/w_i`."""
    return -2 * (g * others + decay * w)


def layer_step(w, others, g, lr, decay):
    """One discrete step of one layer, `w + lr * velocity` (Ginsburg, right-hand side of eq. 8, 11, 12)."""
    return w + lr * velocity(w, others, g, decay)


def gradient_descent(W):
    """Residual of gradient descent on `L = (W - 1)^2` (eq. 5)."""
    return W - 1


def noise_augmentation(W, eta):
    """Residual when the inputs are multiplied by `1 + eta` (eq. 11); also dropout and drop-connect noise."""
    return (1 + eta) * ((1 + eta) * W - 1)


def sgd_noise(W, eta):
    """Residual with additive gradient noise `eta` (eq. 12)."""
    return W - 1 + eta


def mini_batch(W, m2, m1):
    """Residual of a real mini-batch with moments `m2 = mean(x^2)`, `m1 = mean(x y)` (section 5)."""
    return m2 * W - m1


def end_to_end(weights):
    """`W`, the product of all weights of a sequence."""
    W = weights[0]
    for i in range(1, len(weights)):
        W = W * weights[i]
    return W


def others(weights):
    """`[W/w_1, ..., W/w_d]` as a list, by products from both ends (no division; zeros allowed)."""
    out = [weights[0]] * len(weights)
    fill_others(weights, out)
    return out


def fill_others(weights, out):
    """Write `[W/w_1, ..., W/w_d]` to `out`; returns `W`."""
    prefix = weights[0] * 0 + 1
    for i in range(len(weights)):
        out[i] = prefix
        prefix = prefix * weights[i]
    suffix = weights[0] * 0 + 1
    for i in range(len(weights) - 1, -1, -1):
        out[i] = out[i] * suffix
        suffix = suffix * weights[i]
    return prefix


def step(weights, g, lr, decay):
    """One step of all layers of a sequence, as a list; the scalar reference of the ensemble kernels."""
    products = others(weights)
    return [layer_step(weights[i], products[i], g, lr, decay) for i in range(len(weights))]
