"""Sections III and IV: what was seen in trainings."""

from linreg_dyn.claims.chen.theorem import PAPER
from linreg_dyn.claims.core import Source
from linreg_dyn.claims.records import empirical

ORDER = "faster_* factor_* much_*"
FIGURES = "chen.activation-* chen.batch-norm-* chen.skips-* chen.optimiser-*"
"""The paper's trainings; chen.theorem-1 has others."""
GAMMA = (
    "gamma stands for gamma/|theta_0 - theta_T|^2, as in the figures: the median over epochs of the loss-weighted mean "
    "of an epoch's gamma_k. That mean over the whole training would be 1/(2 eta T mean loss) for any trajectory "
    "(chen.larger-gamma.amended), so that at one eta and T the order of gamma nearly repeats that of speed; what it "
    "adds is that most epochs have it. Speed is the average loss."
)
MUCH = "Much: by more than a quarter."

CLAIMS = (
    empirical(
        "chen.regularity-holds",
        "All trajectories obey the regularity principle throughout",
        r"\text{all the optimization trajectories in the tested trainings obey the regularity principle: } \gamma > 0",
        Source(PAPER, "section I.A; section III.A"),
        FIGURES,
        "smallest",
        reading=(
            "At every step the largest gamma that (2) admits is positive. This is what the sentence says, and no sign "
            "of alignment: the walk of independent steps, which trains nothing, has it too where there are many more "
            "weights than steps (chen.straight.amended, part 1)."
        ),
        of=30,
        every=True,
    ),
    empirical(
        "chen.regularity-reasonably",
        "Trajectories obey the regularity principle reasonably well",
        r"\text{many practical training trajectories obey the regularity principle reasonably well}",
        Source(PAPER, "section V"),
        FIGURES,
        "share aligned",
        reading=(
            "Reasonably well: nine of ten steps of each trajectory admit a gamma above 0, and more than half are "
            "aligned with all that follow, <theta_{k+1} - theta_T, U_k> > 0. The first alone is no evidence, since it "
            "holds for independent steps of either sign; of those only half are aligned (fewer where an epoch draws "
            "each sample once, more where updates remember others, as momentum's and Adam's do)."
        ),
        of=30,
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
            f"{GAMMA} Of AlexNet it is said that one can make very similar observations, and that sigmoid is much "
            f"slower than the three others, with a much smaller gamma. {MUCH}"
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
        reading=GAMMA,
        of=2,
    ),
    empirical(
        "chen.batch-norm",
        "Without batch norm trainings slow down and have a small gamma; the first of each block are as good as all",
        r"\gamma_{\text{all norms}},\ \gamma_{\text{first norms}} > \gamma_{\text{no norms}}, "
        r"\quad \text{and much so for the speed of convergence; on CIFAR-10 } \gamma_{\text{no norms}} \text{ is very "
        r"small, and the first norms converge as fast as all; on CIFAR-100 all are slightly faster, and } "
        r"\gamma_{\text{all norms}} > \gamma_{\text{first norms}}",
        Source(PAPER, "section III.B, Fig. 4 and 5; section B-B, Fig. 12 and 13"),
        "chen.batch-norm-*",
        ORDER,
        reading=(
            f"{GAMMA} As fast, slightly: average losses within a quarter of each other. {MUCH} Of ResNets it is said "
            "that one can make very similar observations as of VGGs."
        ),
        of=8,
    ),
    empirical(
        "chen.skip-connections",
        "More skip connections, a larger gamma",
        r"\text{trainings that keep more skip connections converge faster and have a larger } \gamma",
        Source(PAPER, "section III.C, Fig. 6 and 7; section B-C, Fig. 14"),
        "chen.skips-*",
        ORDER,
        reading=GAMMA,
        of=6,
    ),
    empirical(
        "chen.optimisers",
        "Adam converges fastest and has the largest gamma; momentum is faster than SGD",
        r"\gamma_{\text{Adam}} > \gamma_{\text{momentum}},\ \gamma_{\text{SGD}}; "
        r"\quad \text{speed of convergence: Adam, momentum, SGD}",
        Source(PAPER, "section IV, Fig. 8 to 10; section B-D, Fig. 15 and 16"),
        "chen.optimiser-*",
        ORDER,
        reading=(
            f"{GAMMA} Of the U-Net no more is said, and judged, than that both others are much slower than Adam, with "
            f"a smaller gamma. {MUCH}"
        ),
        of=10,
    ),
)
