"""Gradient descent on the matrices of a deep linear network, compiled.

With `b_l = W_{l-1} ... W_0 g` and `a_l = (W_L ... W_{l+1})^T` the gradient of layer l is `l2 W_l - beta a_l b_l^T`
(Lewkowycz & Gur-Ari, S11): one step needs products of matrices and vectors only. The weights of a network are one
flat array, layer after layer, each in C order; `g = X^T y - X^T X v` is minus the gradient by the end-to-end map v.
"""

from __future__ import annotations

import numpy as np

from linreg_dyn._compiled import kernel


@kernel("backward")
def backward(theta, layers, width, features, beta, outer):
    """Fill `outer[l] = a_l` and return the end-to-end map `v = beta W_L ... W_0`."""
    outer[layers - 1, 0] = 1.0
    for layer in range(layers - 1, -1, -1):
        rows = 1 if layer == layers - 1 else width
        columns = features if layer == 0 else width
        first = 0 if layer == 0 else width * features + (layer - 1) * width * width
        below = np.zeros(columns)
        for i in range(rows):
            for j in range(columns):
                below[j] += outer[layer, i] * theta[first + i * columns + j]
        if layer > 0:
            outer[layer - 1, :width] = below
    return beta * below


@kernel("advance")
def advance(theta, gram, moment, layers, width, beta, l2, rate, steps):
    """Take `steps` steps in place; the number taken, fewer if the end-to-end map left +-1e100 on the way."""
    features = moment.size
    outer = np.zeros((layers, width))
    for step in range(steps):
        v = backward(theta, layers, width, features, beta, outer)
        if not np.abs(v).sum() < 1e100:
            return step
        inner = np.empty(features)
        for i in range(features):
            inner[i] = moment[i]
            for j in range(features):
                inner[i] -= gram[i, j] * v[j]
        first = 0
        for layer in range(layers):
            rows = 1 if layer == layers - 1 else width
            following = np.zeros(rows)
            for i in range(rows):
                row = theta[first : first + inner.size]
                push = rate * beta * outer[layer, i]
                for j in range(inner.size):
                    following[i] += row[j] * inner[j]
                    row[j] += push * inner[j] - rate * l2 * row[j]
                first += inner.size
            inner = following
    return steps
