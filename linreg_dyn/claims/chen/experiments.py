"""Sections III and IV: what was seen in trainings."""

from linreg_dyn.claims.chen.theorem import PAPER
from linreg_dyn.claims.core import Source
from linreg_dyn.claims.records import empirical

ORDER = "faster_* factor_*"
FIGURES = "chen.activation-* chen.batch-norm-* chen.skips-* chen.optimiser-*"
"""The paper's trainings; chen.theorem-1 has others."""

CLAIMS = (
    empirical(
        "chen.regularity-holds",
        "All trajectories obey the regularity principle throughout",
        r"\text{all the optimization trajectories in the tested trainings obey the regularity principle: } \gamma > 0",
        Source(PAPER, "section I.A; section III.A"),
        FIGURES,
        "smallest",
        reading="At every step the largest gamma that (2) admits is positive.",
        of=25,
        every=True,
    ),
    empirical(
        "chen.regularity-reasonably",
        "Trajectories obey the regularity principle reasonably well",
        r"\text{many practical training trajectories obey the regularity principle reasonably well}",
        Source(PAPER, "section V"),
        FIGURES,
        "share",
        reading="More than half of the steps of each trajectory admit a gamma above 0.",
        of=25,
    ),
    empirical(
        "chen.thm-1-measured",
        "The bound of Theorem 1 on trajectories of networks",
        r"\frac{1}{T} \sum_{k=0}^{T-1} \ell(\theta_k; z_{\xi_k}) - \inf_\theta f(\theta) \le \frac{1}{2 \eta T} "
        r"\frac{\|\theta_0 - \theta_T\|^2}{\gamma}",
        Source(PAPER, "Theorem 1, eq. 3"),
        "chen.theorem-1",
        "applies theorem",
        reading=(
            "Proved as chen.thm-1; here with gamma, losses and distances as measured, under the full gradient. A "
            "trajectory on which gamma is not positive at every step is outside of it, and at least four of the six of "
            "each seed must be inside."
        ),
        any_network=True,
    ),
    empirical(
        "chen.activation-order",
        "ReLU types converge fastest and have the largest gamma, sigmoid the smallest",
        r"\gamma_{\text{ReLU}},\ \gamma_{\text{leaky ReLU}} > \gamma_{\text{tanh}} > \gamma_{\text{sigmoid}}, "
        r"\quad \text{and so for the speed of convergence}",
        Source(PAPER, "section III.A, Fig. 2; section B-A, Fig. 11"),
        "chen.activation-resnet* chen.activation-alexnet*",
        ORDER,
        reading=(
            "gamma stands for gamma/|theta_0 - theta_T|^2, as in the figures. Of AlexNet no more is said, and judged, "
            "than that sigmoid is behind the three others."
        ),
        of=4,
    ),
    empirical(
        "chen.activation-order-unet",
        "In the U-Net sigmoid has the largest gamma, tanh the smallest",
        r"\gamma_{\text{sigmoid}} > \gamma_{\text{ReLU}},\ \gamma_{\text{leaky ReLU}} > \gamma_{\text{tanh}}, "
        r"\quad \text{and so for the speed of convergence}",
        Source(PAPER, "section III.A, Fig. 3"),
        "chen.activation-unet*",
        ORDER,
        of=2,
    ),
    empirical(
        "chen.batch-norm",
        "Without batch norm trainings slow down and have a small gamma; the first of each block are as good as all",
        r"\gamma_{\text{all norms}},\ \gamma_{\text{first norms}} > \gamma_{\text{no norms}}, "
        r"\quad \text{and so for the speed of convergence; of VGGs, on CIFAR-10 the first norms converge as fast as "
        r"all, on CIFAR-100 all are slightly faster, and } \gamma_{\text{all norms}} > \gamma_{\text{first norms}}",
        Source(PAPER, "section III.B, Fig. 4 and 5; section B-B, Fig. 12 and 13"),
        "chen.batch-norm-*",
        ORDER,
        reading="As fast: average losses within a quarter of each other.",
        of=6,
    ),
    empirical(
        "chen.skip-connections",
        "More skip connections, a larger gamma",
        r"\text{trainings that keep more skip connections converge faster and have a larger } \gamma",
        Source(PAPER, "section III.C, Fig. 6 and 7; section B-C, Fig. 14"),
        "chen.skips-*",
        ORDER,
        of=5,
    ),
    empirical(
        "chen.optimisers",
        "Adam converges fastest and has the largest gamma; momentum is faster than SGD",
        r"\gamma_{\text{Adam}} > \gamma_{\text{momentum}},\ \gamma_{\text{SGD}}; "
        r"\quad \text{speed of convergence: Adam, momentum, SGD}",
        Source(PAPER, "section IV, Fig. 8 to 10; section B-D, Fig. 15 and 16"),
        "chen.optimiser-*",
        ORDER,
        reading="Of the U-Net no more is said, and judged, than that Adam is before both others.",
        of=8,
    ),
)
