"""What the paper says of runs, as differences of final accuracies and their regions, before anything is run."""

from __future__ import annotations

from validation.core import Prediction

NEVER, ALWAYS = "interrupted-0", "interrupted-200"

DIFFERENCES = {
    "helps": (ALWAYS, NEVER),
    "half": ("interrupted-100", ALWAYS),
    "late": ("delayed-100", NEVER),
    "early_window": ("sliding-0", "sliding-100"),
}
"""Final accuracies of which runs are subtracted; 100 epochs are half of the training."""

MARGIN = {"quick": 0.01, "gpu": 0.003, "paper": 0.003}
"""What counts as no difference of accuracy, where weight decay is worth 0.02 (from 7 % of errors to 5 %): a seventh of
that; half of it on 359 digits, of which one is 0.0028."""
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
RATES = (
    Prediction("pearson_initial", "the initial effective rate correlates with the final accuracy", low=0.7),
    Prediction("initial_over_final", "the initial effective rate correlates better than the final one", low=0.0),
)
NORMS = (
    Prediction("grows_without", "the norm grows by a tenth or more when weight decay is taken away halfway", low=1.1),
    Prediction("shrinks_with", "weight decay from half of the training on leaves at most nine tenths", high=0.9),
    Prediction("early_over_later_window", "a window from 0 on ends with a larger norm than one from 25 on", low=1.0),
    Prediction("early_window", "it generalises better all the same", low=0.0),
)
PATHS = (
    Prediction("late_over_early_weight_decay", "runs with weight decay until late end nearer to each other", high=1.0),
    Prediction("late_weight_decay", "but not in one place: a hundredth of the way apart", low=0.01),
    Prediction("spread_ratio", "with augmentation all runs end nearer together than with weight decay", high=1.0),
)


def of_windows(regulariser: str, kind: str, scale: str) -> tuple[Prediction, ...]:
    """What Fig. 1 and the text say of a regulariser in a kind of window, at this scale's margin."""
    margin, word = MARGIN[scale], regulariser.replace("_", " ")
    expected = regulariser != "augmentation" or scale != "quick"
    why = "" if expected else NO_CROPS
    helps = Prediction("helps", f"{word} raises the test accuracy{why}", low=0.0, expected=expected)
    if regulariser == "mixup":
        says = "mixup in the first half alone generalises better than throughout (Fig. 3)"
        return helps, Prediction("half", says, low=0.0)
    if kind == "interrupted":
        says = f"{word} beyond half of the training gains no more than {margin:.1%} of accuracy{why}"
        first = helps, Prediction("half", says, low=-margin, expected=expected)
        zero = Prediction("train_error", "the training error converges to essentially zero", high=0.01)
        return (*first, zero) if regulariser == "weight_decay" else first
    if kind == "delayed":
        says = f"{word} from half of the training on gains no more than {margin:.1%} of accuracy{why}"
        return helps, Prediction("late", says, high=margin, expected=expected)
    if regulariser == "weight_decay":
        return (Prediction("early_window", "a window from 0 on gains more than one from epoch 100 on", low=0.0),)
    says = f"a window of augmentation has essentially the same effect early and late, within {WINDOWS:.2%}{why}"
    return (Prediction("early_window", says, low=-WINDOWS, high=WINDOWS, expected=expected),)
