"""Golatkar, Achille and Soatto, Time Matters in Regularizing Deep Networks (2019): all of it was seen in trainings."""

from linreg_dyn.claims.core import Source
from linreg_dyn.claims.records import empirical

PAPER = "golatkar2019"

CLAIMS = (
    empirical(
        "golatkar.interrupted",
        "Regularisation beyond the initial transient does not improve generalisation",
        r"\text{applying regularization beyond the initial transient (around 100 epochs of 200) produces no measurable "
        r"improvement in test accuracy}",
        Source(PAPER, "section 4, Regularization interrupted, Fig. 1, 3 and 4 (left)"),
        "golatkar.weight-decay-interrupted* golatkar.augmentation-interrupted*",
        "helps half",
        of=11,
        reading="The second half of the regularisation gains no more than a margin, where all of it gains something.",
    ),
    empirical(
        "golatkar.zero-training-error",
        "The training error converges to zero, whenever weight decay ends",
        r"\text{the training loss converges to essentially zero for all values of } t_0",
        Source(PAPER, "section 4, Regularization interrupted"),
        "golatkar.weight-decay-interrupted*",
        "train_error",
        of=7,
        reading="Read for the training error, of which the paper says as much in section 5.",
    ),
    empirical(
        "golatkar.delayed",
        "Regularisation that begins after the critical period has no effect",
        r"\text{there is a critical period (around epoch 50) beyond which adding a regularizer yields no benefit}",
        Source(PAPER, "section 4, Regularization delayed, Fig. 1, 3 and 4 (center)"),
        "golatkar.weight-decay-delayed* golatkar.augmentation-delayed*",
        "helps late",
        of=10,
        reading="From half of the training on it gains no more than a margin, where all of it gains something.",
    ),
    empirical(
        "golatkar.sliding-window",
        "Weight decay matters in the initial epochs only",
        r"\text{weight decay impacts critically only the initial epochs}",
        Source(PAPER, "section 4, Sliding Window Regularization, Fig. 1 and 4 (right)"),
        "golatkar.weight-decay-sliding*",
        "early_window",
        of=4,
        reading="A window from epoch 0 on gains more than one from epoch 100 on.",
    ),
    empirical(
        "golatkar.sliding-window-augmentation",
        "Augmentation has the same effect throughout training",
        r"\text{data augmentation has essentially the same effect throughout training}",
        Source(PAPER, "section 4, Sliding Window Regularization, Fig. 1 (right)"),
        "golatkar.augmentation-sliding*",
        "early_window",
        of=3,
    ),
    empirical(
        "golatkar.mixup",
        "Mixup in the critical period alone is better than throughout",
        r"\text{mixup only in the critical period generalizes better than mixup throughout}",
        Source(PAPER, "Fig. 3, center right"),
        "golatkar.mixup-interrupted*",
        "helps half",
    ),
    empirical(
        "golatkar.fisher-peak",
        "The peak of the Fisher information correlates with generalisation, its final value less",
        r"r(\max_t \text{tr} F_t,\ \text{test accuracy}) = 0.92, \quad r(\text{tr} F_T,\ \text{test accuracy}) = 0.29",
        Source(PAPER, "section 4, Weight decay, Fisher and flatness, Fig. 5"),
        "golatkar.fisher*",
        "pearson_peak peak_over_final",
        reading="The first correlation is strong, and stronger than the second; the numbers are of one set of runs.",
    ),
    empirical(
        "golatkar.weight-decay-increases-fisher",
        "Weight decay increases the peak of the Fisher information",
        r"\text{weight decay increases the peak of the Fisher information during the transient}",
        Source(PAPER, "section 4, Weight decay, Fisher and flatness, Fig. 5 (left)"),
        "golatkar.fisher*",
        "peak_ratio",
    ),
    empirical(
        "golatkar.effective-rate",
        "The initial effective learning rate correlates better with generalisation than the final one",
        r"r(\eta_{\text{eff}} \text{ initially},\ \text{test accuracy}) = 0.96, "
        r"\quad r(\eta_{\text{eff}} \text{ finally},\ \text{test accuracy}) = 0.85, "
        r"\quad \eta_{\text{eff}} = \eta/\|w\|^2",
        Source(PAPER, "section 4, Effect of Batch-Normalization; Fig. 9"),
        "golatkar.effective-rate*",
        "pearson_initial initial_over_final",
    ),
    empirical(
        "golatkar.weight-norm",
        "The norm of the weights follows the regulariser, generalisation does not follow the norm",
        r"\text{the norm changes after switching the regularizer; weight decay at the beginning yields a higher norm "
        r"than from epoch 25 on, and better generalization}",
        Source(PAPER, "Fig. 2A to 2C"),
        "golatkar.weight-norm*",
    ),
    empirical(
        "golatkar.paths",
        "Where weight decay ends late, training ends in one area; with augmentation it always does",
        r"\text{removing weight decay before the end of the critical period leads to different regions; "
        r"afterwards all points lie in a similar area}",
        Source(PAPER, "Fig. 2D and 2E"),
        "golatkar.paths*",
    ),
)
