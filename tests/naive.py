"""The ensembles again, in plain Python: one trajectory, one step, one number at a time.

The rules are those of `linreg_dyn.rules`, with `fused` rounded once, as machines do it, by the C library; the
random numbers follow the docstring of `noise`, written again.
"""

import ctypes
import ctypes.util
import types

import numpy as np

import linreg_dyn as ld
from linreg_dyn import noise, rules
from linreg_dyn.schedules import adaptive_rate

LIBRARY = ctypes.CDLL(ctypes.util.find_library("m"))
FMA = {"float64": LIBRARY.fma, "float32": LIBRARY.fmaf}
for _name, _number in (("float64", ctypes.c_double), ("float32", ctypes.c_float)):
    FMA[_name].restype, FMA[_name].argtypes = _number, [_number] * 3


def rounded_rules(dtype):
    """A copy of the module `rules` whose `fused` rounds numbers of `dtype` once."""
    number = np.dtype(dtype).type
    copy = types.SimpleNamespace()
    scope = {"fused": lambda a, b, c: number(FMA[dtype](number(a), number(b), number(c)))}
    for name, value in vars(rules).items():
        if isinstance(value, types.FunctionType) and name != "fused":
            scope[name] = types.FunctionType(value.__code__, scope, name, value.__defaults__)
            setattr(copy, name, scope[name])
    return copy


def unit_noise(seed, trajectory, step, distribution):
    """The scheme of `noise`: a block for each four steps, a word for each."""
    block = noise.philox(step // 4, 0, trajectory % 2**32, trajectory // 2**32, seed % 2**32, seed // 2**32)
    word = block[step % 4]
    if distribution == "rademacher":
        return 1.0 if word >= 2**31 else -1.0
    if distribution == "uniform":
        return (word - 2**31 + 0.5) / 2**31
    table = distribution.table()
    if isinstance(distribution, ld.Table):
        return table[word * len(table) // 2**32]
    cell, rest = divmod(word * (len(table) - 1), 2**32)
    return table[cell] + (table[cell + 1] - table[cell]) * (rest / 2**32)


def batch(seed, trajectory, step, samples, size):
    """The places of a mini-batch, by removing them one by one from a list, four words to a block."""
    left, chosen, draw = list(range(samples)), [], 0
    while len(chosen) < size:
        counter = (step, 1 + draw // 4, trajectory % 2**32, trajectory // 2**32)
        product = noise.philox(*counter, seed % 2**32, seed // 2**32)[draw % 4] * len(left)
        draw += 1
        if product % 2**32 >= 2**32 % len(left):
            place = product // 2**32
            chosen.append(left[place])
            left[place] = left[0]  # the first takes the hole: the swap of Fisher and Yates
            left.pop(0)
    return chosen


def residual(plain, method, W, seed, trajectory, step, number):
    """The residual of a step by the copy `plain` of the rules, with what it draws."""
    if isinstance(method, ld.MiniBatch):
        places = batch(seed, trajectory, step, len(method.data), method.batch_size)
        m2 = m1 = 0.0
        for place in places:
            m2 += method.data.x[place] * method.data.x[place]
            m1 += method.data.x[place] * method.data.y[place]
        return plain.mini_batch(W, number(m2 / len(places)), number(m1 / len(places)))
    if isinstance(method, ld.GradientDescent):
        return plain.gradient_descent(W)
    width = method.half_width if isinstance(method.half_width, float) else method.half_width.at(step)
    eta = number(width) * number(unit_noise(seed, trajectory, step, method.distribution))
    if isinstance(method, ld.NoiseAugmentation):
        return plain.noise_augmentation(W, eta)
    return plain.sgd_noise(W, eta)


def run(start, method, steps, rate, decay=0.0, momentum=0.0, nesterov=False, seed=0, trajectory=0, dtype="float64"):
    """The weights after 0, 1, ..., steps steps, (step, layer); `rate` and `decay` are numbers or schedules."""
    number, plain = np.dtype(dtype).type, rounded_rules(dtype)
    w = [number(x) for x in start]
    v = [number(0)] * len(w)
    path = [w]
    for step in range(steps):
        W = plain.end_to_end(w)
        g = residual(plain, method, W, seed, trajectory, step, number)
        lr = number(rate if isinstance(rate, float) else rate.at(step))
        mu = number(decay if isinstance(decay, float) else decay.at(step))
        products = plain.others(w)
        adaptive = not isinstance(rate, float) and rate.follows_weights
        if adaptive:
            outsides = [w[0]] * len(w)
            plain.fill_prefixes(w, outsides)
            lr = adaptive_rate(lr, w, W, plain.fill_outsides(w, outsides))
        if momentum:
            shares = [w[0]] * len(w)
            plain.fill_prefixes(w, shares)
            plain.fill_shares(w, plain.push(g), shares)
            force = [plain.force(x, share, mu) for x, share in zip(w, shares, strict=True)]
            v = [plain.accumulate(speed, f, number(momentum)) for speed, f in zip(v, force, strict=True)]
            ahead = [plain.look_ahead(speed, f, number(momentum)) for speed, f in zip(v, force, strict=True)]
            w = [plain.drift(x, d, lr) for x, d in zip(w, ahead if nesterov else v, strict=True)]
        elif adaptive:
            w = [plain.layer_step(x, p, g, lr, mu) for x, p in zip(w, products, strict=True)]
        else:
            w = plain.step(w, g, lr, mu)
        path.append(w)
    return np.array(path)
