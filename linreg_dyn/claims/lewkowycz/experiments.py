"""What was seen in trainings: times, performance, the L2 coefficient of a budget, and AutoL2."""

from linreg_dyn.claims.lewkowycz._paper import source
from linreg_dyn.claims.records import empirical

SWEEPS = "lewkowycz.t-star* lewkowycz.momentum-augmentation"

CLAIMS = (
    empirical(
        "lewkowycz.t-star-scaling",
        "The time to the best performance is inversely proportional to rate times L2",
        r"t_* \approx \frac{c'}{\eta \cdot \lambda}",
        source("section 1.1; section 2, Fig. 2 and 3; section C.2 (supplement), Fig. S2"),
        SWEEPS,
        "slope",
        of=5,
        reading="The slope of log t* over log(eta lambda) is -1 (over log lambda where there is one rate).",
    ),
    empirical(
        "lewkowycz.performance-independent",
        "At times proportional to 1/lambda the performance does not depend on lambda",
        r"T \propto \lambda^{-1}: \quad \text{performance becomes independent of } \lambda \text{ for small } \lambda, "
        r"\text{ where with a fixed number of steps it peaks at one } \lambda",
        source("section 1.1; section 2, Fig. 1a, 2 and 3"),
        f"{SWEEPS} lewkowycz.fixed-budget",
        "gap_least fixed_cost scaled_cost rate_spread",
        of=6,
    ),
    empirical(
        "lewkowycz.lambda-pred",
        "The L2 coefficient predicted for a budget is near the tuned one",
        r"\text{the tuned values are always within an order of magnitude of } \lambda_{\text{pred}} = c/T, "
        r"\text{whose performance is rather close to the optimal one}",
        source("section 3, Fig. 1b and 4; section C.3 (supplement), Fig. S3 and S4"),
        "lewkowycz.lambda-pred",
        reading=(
            "Close: within one per cent of accuracy. The 0.4 per cent of section 1.1 is what one network came to, and "
            "is not judged."
        ),
    ),
    empirical(
        "lewkowycz.auto-l2",
        "AutoL2 trains faster and ends better than a constant",
        r"\text{AutoL2: significantly faster training, and superior performance}",
        source("section 3, Fig. 1c; section E (supplement), Fig. S9"),
        "lewkowycz.auto-l2",
        reading="At least the accuracy of the best of the constants that are tried, and sooner; by how much is open.",
    ),
    empirical(
        "lewkowycz.auto-l2-with-schedule",
        "With a schedule of the learning rate AutoL2 does not keep up",
        r"\text{with a learning rate schedule, AutoL2 cannot keep pace with the big jumps of constant } \lambda",
        source("section E (supplement), Fig. S10"),
        "lewkowycz.auto-l2-schedule",
        reading="The best of the constants that are tried ends above it.",
    ),
    empirical(
        "lewkowycz.kernel-agrees",
        "A wide network follows the kernel until the loss is least, and its loss then grows",
        r"\text{the training loss of a two-layer network agrees with } k = 2 \text{ up to its minimum, then grows; a "
        r"linear model's does not}",
        source("section 4, Fig. 5c"),
        "lewkowycz.kernel-vs-network",
    ),
    empirical(
        "lewkowycz.train-accuracy-time",
        "The time to training accuracy 1 depends on the rate, and mildly on lambda",
        r"t_{\text{train}} \sim 1/\eta, \quad \text{depending mildly on } \lambda",
        source("section C.1 (supplement), Fig. S1"),
        "lewkowycz.train-accuracy-time",
    ),
    empirical(
        "lewkowycz.mse-catapult",
        "With MSE the dependence on the rate flattens out by the end",
        r"\text{the strong dependence of test accuracy on } \eta \text{ at training accuracy 1 flattens out when "
        r"evolved until convergence with } \lambda; \text{ the training loss has a minimum after which it increases}",
        source("section C.4 (supplement), Fig. S5"),
        "lewkowycz.mse-catapult",
        reading="It flattens out if at its best the test accuracy depends on the rate half as much, or less.",
    ),
    empirical(
        "lewkowycz.narrow",
        "A narrow network has an optimal lambda, below which the time to the best is constant",
        r"\text{for networks that are not overparameterized: } t_* \sim 1/\lambda \text{ down to the optimal } "
        r"\lambda, \text{ constant below}",
        source("section D (supplement), Fig. S7"),
        "lewkowycz.narrow",
    ),
    empirical(
        "lewkowycz.imagenet-diagonal",
        "On ImageNet performance is alike where rate times L2 is",
        r"\text{performance is rather similar along the diagonal } \eta \lambda = \text{const}",
        source("section D (supplement), Fig. S8a"),
        "lewkowycz.imagenet",
    ),
)
