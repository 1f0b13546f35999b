"""What was seen in trainings: times, performance, the L2 coefficient of a budget, and AutoL2."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from linreg_dyn.claims.core import Claim, Control
from linreg_dyn.claims.lewkowycz._paper import source
from linreg_dyn.claims.records import Finding, empirical


def more_than_half(findings: Sequence[Finding], of: int) -> bool | None:
    """What "often" is taken to say: True if more than half of so many experiments agree, False if as many disagree.

    Those that there is no finding of do neither.
    """
    verdicts = [one.agrees() for one in findings]
    return next((verdict for verdict in (True, False) if 2 * verdicts.count(verdict) > of), None)


def _often(*said: Any, of: int, **more: Any) -> Claim:
    """An `empirical` claim about most experiments instead of all; the controls are of those that agree."""
    claim = empirical(*said, of=of, **more)
    assert claim.measurement

    def of_agreeing(judge: Callable[..., bool | None]) -> Callable[..., bool | None]:
        return lambda findings: judge([one for one in findings if one.agrees()])

    controls = tuple(Control(control.about, of_agreeing(control.agrees)) for control in claim.measurement.controls)
    agrees, plan = partial(more_than_half, of=of), f"{claim.measurement.plan}; more than half of {of} must agree"
    return replace(claim, measurement=replace(claim.measurement, plan=plan, agrees=agrees, controls=controls))


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
    _often(
        "lewkowycz.small-l2-helps",
        "With a small L2 coefficient the performance is often better than without any",
        r"\text{performance with a small, non-zero } \lambda \text{ is often better than performance without any } "
        r"L_2 \text{ regularization}",
        source("section 1.1; section 2, Fig. 2 and 3"),
        "lewkowycz.t-star*",
        "over_none",
        of=4,
        reading=(
            "In more than half of the four experiments the best accuracy with the smallest L2 coefficient is above "
            "that without any, in the mean over the rates that learn with either. Without, training is as long as the "
            "paper's (at scale gpu as long as with the smallest, or longer). The best of all coefficients would be "
            "above by chance too."
        ),
    ),
    empirical(
        "lewkowycz.c-of-small-l2",
        "The time to the best performance times lambda is twice as high for small lambda as for large",
        r"c_{\text{small } \lambda} \sim 2 c_{\text{large } \lambda}",
        source("section C.3 (supplement), of Fig. 2"),
        "lewkowycz.t-star lewkowycz.t-star-wrn",
        "c_ratio",
        reading=(
            "Geometric means of t* eta lambda, over the lower half of what log(eta lambda) is tried and over the "
            "upper: 2 within a factor of 2^{1/2}, which is ours. Over a single decade it is not expected."
        ),
    ),
    empirical(
        "lewkowycz.min-loss-time-observed",
        "The training loss of networks is least at a time inversely proportional to lambda",
        r"\text{we expect the minimum of the empirical loss to occur at a time proportional to } \lambda^{-1} \ldots "
        r"\text{ We observe this behaviour empirically}",
        source("section 4; section C.5 (supplement), Fig. S6"),
        "lewkowycz.t-star",
        "loss_slope",
        reading=(
            "Of dense networks, by cross entropy: the slope of the log of the step over log(eta lambda), of all rates "
            "together, is -1, where the loss has risen by the end. For squared error in theory see "
            "lewkowycz.min-loss-time. Training losses of Wide ResNets are not measured on the way."
        ),
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
        "lewkowycz.lambda-pred-doubled",
        "Twice the measured c predicts the tuned L2 coefficient better",
        r"\text{one could try to get a more precise prediction by multiplying } c \text{ by two}",
        source("section C.3 (supplement), Fig. S4"),
        "lewkowycz.lambda-pred",
        "doubling",
        reading="In the mean over budgets 2 c / T is fewer decades away from the tuned coefficient than c / T.",
    ),
    empirical(
        "lewkowycz.falls-after-peak",
        "With a large L2 coefficient performance decays after peaking",
        r"\text{performance decays after peaking, and so convergence happens later}",
        source("section 1.1, Fig. 4a"),
        "lewkowycz.lambda-pred",
        "falls",
        reading=(
            "In the short training at lambda = 0.01 the mean accuracy of the last quarter is two per cent or more "
            "below the best: ours, for the best of many is above their mean by chance too."
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
        "With a schedule of the learning rate AutoL2 is ahead in the beginning, and does not keep up",
        r"\text{with a learning rate schedule, AutoL2 trains faster and better in the beginning, but cannot keep pace "
        r"with the big jumps of constant } \lambda",
        source("section E (supplement), Fig. S10"),
        "lewkowycz.auto-l2-schedule",
        reading=(
            "Before the rate first falls AutoL2 has come to a higher accuracy than the constant that the paper found "
            "best, 0.0005 over 200 epochs, which ends above it. At scale gpu, over 40, that is five times as large, "
            "as the time goes with 1 / lambda; the best of several would be above by chance too."
        ),
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
        "lewkowycz.finite-width-does-not-decay",
        "At finite width the function does not decay to zero",
        r"\text{at late times the function will not decay to zero; see for example Figure 5c}",
        source("section 4, Fig. 5c"),
        "lewkowycz.kernel-vs-network",
        "late_over_zero",
        reading=(
            "At t = 4 / lambda the training loss of the network is at most half of that of f = 0, which the solution "
            "with k = 2 has all but come to. What is later is not measured."
        ),
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
        r"\lambda, \text{ constant (equal to the value for } \lambda = 0) \text{ below, before training accuracy is 1}",
        source("section D (supplement), Fig. S7"),
        "lewkowycz.narrow",
        reading=(
            "By plain cross entropy, as the text on the figure has it, where section A has it over 2 k. Equal: within "
            "a factor of 3/2."
        ),
    ),
    empirical(
        "lewkowycz.imagenet-diagonal",
        "On ImageNet performance is alike where rate times L2 is",
        r"\text{performance is rather similar along the diagonal } \eta \lambda = \text{const}",
        source("section D (supplement), Fig. S8a"),
        "lewkowycz.imagenet",
    ),
)
