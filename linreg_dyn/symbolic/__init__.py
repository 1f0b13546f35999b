"""The scalar deep linear net in symbols: losses, derivatives and dynamics, at any depth.

Everything here is obtained by calling the functions of `linreg_dyn.rules` on sympy symbols, or by
differentiating: no update rule is written a second time. What is asked for comes back as an ordinary sympy
expression; `to_latex` prints it and `to_numpy` compiles it.

A method is its residual, a function of `rules`; its noises are symbols named after the arguments:

    from linreg_dyn import rules, symbolic
    symbolic.hessian(3)
    symbolic.imbalance_step(rules.noise_augmentation, 3)               # in w_1, w_2, w_3, eta, lambda
    symbolic.imbalance_flow(rules.gradient_descent, 3, decay=symbolic.DECAY)
    symbolic.loss_step(rules.noise_augmentation, 3, eta=symbolic.layer_noise(3))   # dropout, drop-connect

Time of every flow is `lr * step`, and `DECAY` is the `mu` of `L + mu * sum w_i^2`.
"""

from linreg_dyn.symbolic._dynamics import (
    drop_connect_loss,
    dropout_loss,
    end_to_end_step,
    flow,
    imbalance_flow,
    imbalance_step,
    layer_noise,
    loss_flow,
    loss_step,
    step,
)
from linreg_dyn.symbolic._exact import balanced_time, flow_solution
from linreg_dyn.symbolic._export import to_latex, to_numpy
from linreg_dyn.symbolic._net import (
    data_loss,
    end_to_end,
    gradient,
    hessian,
    layer_imbalance,
    loss,
    minimum_sharpness,
    weights,
)
from linreg_dyn.symbolic._spectrum import HessianSpectrum, hessian_eigenvalues
from linreg_dyn.symbolic._symbols import DECAY, LR, TIME, parameters

__all__ = [
    "DECAY",
    "LR",
    "TIME",
    "HessianSpectrum",
    "balanced_time",
    "data_loss",
    "drop_connect_loss",
    "dropout_loss",
    "end_to_end",
    "end_to_end_step",
    "flow",
    "flow_solution",
    "gradient",
    "hessian",
    "hessian_eigenvalues",
    "imbalance_flow",
    "imbalance_step",
    "layer_imbalance",
    "layer_noise",
    "loss",
    "loss_flow",
    "loss_step",
    "minimum_sharpness",
    "parameters",
    "step",
    "to_latex",
    "to_numpy",
    "weights",
]
