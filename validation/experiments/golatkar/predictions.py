"""What the paper says of runs, as differences of final accuracies and their regions, before anything is run."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from scipy.special import stdtrit

from validation.core import Prediction

NEVER, ALWAYS = "interrupted-0", "interrupted-200"

DIFFERENCES = {
    "helps": (ALWAYS, NEVER),
    "half": ("interrupted-100", ALWAYS),
    "early_removal": ("interrupted-75", ALWAYS),
    "late": ("delayed-100", NEVER),
    "from_50": ("delayed-50", NEVER),
    "delay_costs": (ALWAYS, "delayed-50"),
    "early_window": ("sliding-0", "sliding-100"),
    "late_window": ("sliding-100", NEVER),
    "one_window": ("sliding-0", ALWAYS),
    "middle_over_first": ("sliding-50", "sliding-0"),
    "middle_over_last": ("sliding-50", "sliding-150"),
}
"""Final accuracies of which runs are subtracted; 100 epochs are half of the training."""
IF_IT_HELPS = ("half", "late", "from_50", "one_window")
"""Those that say that nothing is lost or gained, and presuppose that the regulariser helps."""
FIGURE_1 = ("", "all-cnn")
"""ResNet-18 and All-CNN on CIFAR-10, normalised, at an exponential rate; all other experiments are variants."""

MARGIN = {"quick": 0.01, "gpu": 0.003, "paper": 0.003}
"""What counts as no difference of accuracy, where weight decay is worth 0.02 (from 7 % of errors to 5 %): a seventh of
that; half of it on 359 digits, of which one is 0.0028."""
COSTS = 0.01
"""Half of what a delay of weight decay by 50 epochs costs: 5 % of errors become 7 %."""
ALMOST = 0.005
"""What "almost as if we had regularized all along" allows: a quarter of what weight decay is worth."""
WINDOWS = 0.0084
"""Half of what the weight decay's windows from 0 and from 50 on differ by, 1.92 % and 0.24 %."""
NO_CROPS = (
    " (not expected on digits: each fills its 8 x 8 pixels, and moving it by one makes it unlike the test images)"
)

FISHER = (
    Prediction("pearson_peak", "the peak of the Fisher information correlates with the final accuracy", low=0.7),
    Prediction("peak_over_final", "its peak correlates better than its final value", low=0.0),
    Prediction("peak_ratio", "weight decay increases the peak", low=1.0),
)


def fisher(count: int) -> tuple[Prediction, ...]:
    """Those that are about so many runs, of different lengths of weight decay, or about one of 100 epochs."""
    most = round(significant(count), 3)
    return (
        Prediction("pearson_final", f"the final value does not: p > 0.05, for {count} runs", -most, most),
        Prediction(
            "final_above",
            "100 epochs of weight decay raise it by less than a tenth of what they raise the peak by",
            high=0.0,
            presupposes="peak_raised",
        ),
        Prediction("final_below", "and do not lower it by as much", low=0.0, presupposes="peak_raised"),
    )


def significant(count: int) -> float:
    """The correlation of so many pairs that has p = 0.05, two-sided."""
    t = float(stdtrit(count - 2, 0.975))
    return t / sqrt(count - 2 + t * t)


RATES = (
    Prediction("pearson_initial", "the initial effective rate correlates with the final accuracy", low=0.7),
    Prediction("initial_over_final", "the initial effective rate correlates better than the final one", low=0.0),
)
REGULARISERS = (
    Prediction("worth_more", "augmentation raises the test accuracy more than weight decay", low=0.0),
    Prediction(
        "lost_more",
        "of that, weight decay loses a larger share when it begins at epoch 50",
        low=0.0,
        presupposes="worth_least",
    ),
)
CONSTANT = (Prediction("train_error", "not all runs converge: one ends above 1 % of training error", low=0.01),)
NORMS = (
    Prediction("grows_without", "the norm grows by a tenth or more when weight decay is taken away halfway", low=1.1),
    Prediction("shrinks_with", "weight decay from half of the training on leaves at most nine tenths", high=0.9),
    Prediction("early_over_later_window", "a window from 0 on ends with a larger norm than one from 25 on", low=1.0),
    Prediction("early_window", "it generalises better all the same", low=0.0),
)
NORMS_AT_50 = (
    Prediction("norm_over_window_50", "a window from 0 on ends with a larger norm than one from 50 on", low=1.0),
    Prediction("gain_over_window_50", f"it generalises better, by {WINDOWS:.2%} at least", low=WINDOWS),
)
PATHS = (
    Prediction("late_over_early_weight_decay", "runs with weight decay until late end nearer to each other", high=1.0),
    Prediction("late_weight_decay", "but not in one place: a hundredth of the way apart", low=0.01),
    Prediction("spread_ratio", "with augmentation all runs end nearer together than with weight decay", high=1.0),
)


def of_windows(regulariser: str, kind: str, suffix: str, scale: str) -> tuple[Prediction, ...]:
    """What the paper says of a regulariser in a kind of window, in a variant of Fig. 1, at this scale's margin."""
    if regulariser == "mixup":
        return (Prediction("half", "mixup in the first half alone generalises better than throughout", low=0.0),)
    expected = regulariser != "augmentation" or scale != "quick"
    first = _KINDS[kind](regulariser, suffix, scale)
    if kind != "sliding":
        word = regulariser.replace("_", " ")
        first = Prediction("helps", f"{word} raises the test accuracy", low=0.0), *first
    first = tuple(replace(p, presupposes="helps") if p.metric in IF_IT_HELPS else p for p in first)
    return first if expected else tuple(replace(p, says=p.says + NO_CROPS, expected=False) for p in first)


def _interrupted(regulariser: str, suffix: str, scale: str) -> tuple[Prediction, ...]:
    margin, decay, large = MARGIN[scale], regulariser == "weight_decay", scale != "quick"
    says = f"{regulariser.replace('_', ' ')} beyond half of the training gains no more than {margin:.1%} of accuracy"
    found = [Prediction("half", says, low=-margin)]
    if suffix in FIGURE_1 and (decay or large):
        found += [Prediction("train_error", "the training error converges to essentially zero", high=0.01)]
    if decay and large and suffix in ("all-cnn", "no-norm"):
        found += [Prediction("early_removal", "taken away at epoch 75 it does better than throughout", low=0.0)]
    return tuple(found)


def _delayed(regulariser: str, suffix: str, scale: str) -> tuple[Prediction, ...]:
    margin = MARGIN[scale]
    says = f"{regulariser.replace('_', ' ')} from {{}} on gains no more than {margin:.1%} of accuracy"
    found = [Prediction("late", says.format("half of the training"), high=margin)]
    if regulariser == "weight_decay" and suffix == "" and scale != "quick":
        costs = f"a delay of 50 epochs costs more than {COSTS:.0%} of accuracy, half of what it cost the paper"
        found += [Prediction("from_50", says.format("epoch 50"), high=margin), Prediction("delay_costs", costs, COSTS)]
    return tuple(found)


def _sliding(regulariser: str, suffix: str, scale: str) -> tuple[Prediction, ...]:
    if regulariser == "augmentation" and suffix == "no-norm":
        return (
            Prediction("middle_over_first", "a window from 50 on gains more than one from 0 on", low=0.0),
            Prediction("middle_over_last", "it gains more than one from 150 on", low=0.0),
        )
    if regulariser == "augmentation":
        says = f"a window of augmentation has essentially the same effect early and late, within {WINDOWS:.2%}"
        return (Prediction("early_window", says, low=-WINDOWS, high=WINDOWS),)
    says = "a window from 0 on gains more than one from epoch 100 on"
    if suffix not in FIGURE_1 or scale == "quick":
        return (Prediction("early_window", says, low=0.0),)
    margin = MARGIN[scale]
    return (
        Prediction("early_window", f"{says}, by {WINDOWS:.2%} at least", low=WINDOWS),
        Prediction("late_window", f"one from epoch 100 on gains no more than {margin:.1%}", high=margin),
        Prediction("one_window", f"one from 0 on is within {ALMOST:.1%} of weight decay throughout", low=-ALMOST),
    )


_KINDS = {"interrupted": _interrupted, "delayed": _delayed, "sliding": _sliding}
