"""The statements about layer imbalance, for layers of real networks: |W_l|^2 in place of w_i^2.

For the linear net of the paper they are shown elsewhere here; that they hold where layers are homogeneous (linear,
ReLU, dense or convolutional) is measured, on any such network.
"""

from linreg_dyn.claims.ginsburg._net import source
from linreg_dyn.claims.records import empirical

DRIFT = (
    "What noise adds to the drift is measured while training: its sign, and its growth with the variance, not a limit."
)
IMBALANCE = "Imbalance is |W_l|^2 - |W_m|^2 for neighbouring layers of linear and ReLU nets, dense and convolutional. "

CLAIMS = (
    empirical(
        "ginsburg.real-imbalance-conserved",
        "Gradient flow keeps the imbalance of real layers",
        r"\|W_l\|^2(t) - \|W_m\|^2(t) = \text{const}",
        source("section 3, eq. (6)"),
        "ginsburg.imbalance-conserved",
        reading=IMBALANCE + "At a fixed time what it changes is of first order in the learning rate.",
        any_network=True,
    ),
    empirical(
        "ginsburg.real-imbalance-decay",
        "Weight decay removes the imbalance of real layers exponentially",
        r"\|W_l\|^2 - \|W_m\|^2 \sim e^{-4 \mu t}",
        source("section 4.1"),
        "ginsburg.imbalance-weight-decay",
        reading=IMBALANCE + "The loss is L + mu sum |W_l|^2: with L2 written l2/2, the rate is 2 l2.",
        any_network=True,
    ),
    empirical(
        "ginsburg.real-imbalance-noise",
        "Noise in the data removes the imbalance of real layers at a rate of its variance",
        r"\|W_l\|^2 - \|W_m\|^2 \to 0, \quad \text{at a rate } \sim \sigma^2",
        source("section 4.2"),
        "ginsburg.imbalance-noise",
        reading=IMBALANCE + DRIFT,
        any_network=True,
    ),
    empirical(
        "ginsburg.real-imbalance-sgd",
        "SGD removes the imbalance of real layers at a rate of its variance",
        r"\|W_l\|^2 - \|W_m\|^2 \to 0, \quad \text{at a rate } \sim \sigma^2 \sim 1/B - 1/N",
        source("section 5"),
        "ginsburg.imbalance-sgd",
        reading=IMBALANCE + DRIFT,
        any_network=True,
    ),
    empirical(
        "ginsburg.real-two-phases",
        "First the loss falls, then the imbalance",
        r"\text{the trajectory first converges to the valley of minima, and then moves along it to flat ones}",
        source("section 4"),
        "ginsburg.two-phases",
        reading=IMBALANCE + "When a tenth of it is gone, nine tenths of the loss are; then it goes and the loss stays.",
        any_network=True,
    ),
)
