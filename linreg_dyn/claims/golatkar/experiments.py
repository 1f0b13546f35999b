"""Sections 4 and 5: what was seen in trainings."""

from linreg_dyn.claims.core import Source
from linreg_dyn.claims.records import empirical

PAPER = "golatkar2019"
WITH = ("weight-decay", "augmentation")

VOID = "Where the regulariser does not help at all nothing is decided."

CLAIMS = (
    empirical(
        "golatkar.interrupted",
        "Regularisation beyond the initial transient does not improve generalisation",
        r"\text{applying regularization beyond the initial transient (around 100 epochs of 200) produces no measurable "
        r"improvement in test accuracy}",
        Source(PAPER, "section 4, Regularization interrupted, Fig. 1, 3 and 4 (left)"),
        "golatkar.weight-decay-interrupted* golatkar.augmentation-interrupted*",
        "half",
        of=16,
        reading=f"The second half of the regularisation gains no more than a margin. {VOID}",
    ),
    empirical(
        "golatkar.zero-training-error",
        "The training error converges to zero, whenever weight decay or augmentation ends",
        r"\text{ResNet-18 and All-CNN on CIFAR-10: the training loss converges to essentially zero for all values of } "
        r"t_0",
        Source(PAPER, "section 4, Regularization interrupted"),
        " ".join(f"golatkar.{kind}-interrupted{net}" for kind in WITH for net in ("", "-all-cnn")),
        "train_error",
        reading="Read for the training error, of which the paper says as much in section 5: below 1 % for every t_0.",
    ),
    empirical(
        "golatkar.early-removal",
        "In some cases removing weight decay early improves generalisation",
        r"\text{in some cases, early removal of regularization e.g., at epoch 75 for All-CNN, actually improves "
        r"generalization; without batch norm, removal of weight decay right after the initial critical period does}",
        Source(PAPER, "Fig. 1 and Fig. 4 (left)"),
        "golatkar.weight-decay-interrupted-all-cnn golatkar.weight-decay-interrupted-no-norm",
        "early_removal",
        reading=(
            "The two cases that are named, both for weight decay (of All-CNN the sentence does not say which "
            "regulariser), and both at epoch 75, where the critical period of Fig. 1 ends."
        ),
    ),
    empirical(
        "golatkar.delayed",
        "Regularisation that begins after the critical period has no effect",
        r"\text{there is a critical period (around epoch 50) beyond which adding a regularizer yields no benefit}",
        Source(PAPER, "section 4, Regularization delayed, Fig. 1, 3 and 4 (center)"),
        "golatkar.weight-decay-delayed* golatkar.augmentation-delayed*",
        "late from_50",
        of=15,
        reading=(
            "From half of the training on it gains no more than a margin; weight decay of ResNet-18 on CIFAR-10, of "
            f"which the text gives the numbers, from epoch 50 on. {VOID}"
        ),
    ),
    empirical(
        "golatkar.delay-of-50",
        "Delaying weight decay by 50 epochs costs two points of accuracy",
        r"\text{delaying WD by 50 epochs causes a 40\% increase in test error, from 5\% regularizing all along, to 7\% "
        r"with onset } t_0 = 50 \text{ epochs}",
        Source(PAPER, "section 4, Regularization delayed, Fig. 1 (top center)"),
        "golatkar.weight-decay-delayed",
        "delay_costs",
        reading="Read as a loss of more than 1 % of accuracy, half of what is printed.",
    ),
    empirical(
        "golatkar.sliding-window",
        "Weight decay matters in the initial epochs only",
        r"\text{weight decay impacts critically only the initial epochs}",
        Source(PAPER, "section 4, Sliding Window Regularization, Fig. 1 and 4 (right)"),
        "golatkar.weight-decay-sliding*",
        "early_window late_window",
        of=5,
        reading=(
            "A window from epoch 0 on gains more than one from epoch 100 on; in the networks of Fig. 1 by more than "
            "counts as the same effect of augmentation, and the late window gains no more than a margin. In the "
            "variants, of which less is said (Fig. 4: mainly the initial epochs), by any amount."
        ),
    ),
    empirical(
        "golatkar.short-window",
        "Weight decay in the first 50 epochs alone does almost as well as throughout",
        r"\text{regularizing for a short 50 epochs yields generalization that is almost as if we had regularized all "
        r"along}",
        Source(PAPER, "section 4, Sliding Window Regularization, Fig. 1 (right)"),
        "golatkar.weight-decay-sliding golatkar.weight-decay-sliding-all-cnn",
        "one_window",
        reading=(
            "Of weight decay, from epoch 0 on; almost: at most 0.5 % of accuracy is lost, a quarter of what it gains. "
            f"{VOID}"
        ),
    ),
    empirical(
        "golatkar.sliding-window-augmentation",
        "Augmentation has the same effect throughout training",
        r"\text{data augmentation has essentially the same effect throughout training}",
        Source(PAPER, "section 4, Sliding Window Regularization, Fig. 1 (right) and 3 (bottom)"),
        "golatkar.augmentation-sliding golatkar.augmentation-sliding-all-cnn golatkar.augmentation-sliding*piecewise",
        "early_window",
        of=4,
        reading=(
            "Windows from epochs 0 and 100 on differ by no more than half of what weight decay's do. Without batch "
            "norm the paper says the opposite: golatkar.augmentation-no-norm."
        ),
    ),
    empirical(
        "golatkar.augmentation-no-norm",
        "Without batch norm augmentation is critical in the intermediate epochs",
        r"\text{unlike weight decay which mainly affects initial epochs, data augmentation is critical for the "
        r"intermediate epochs}",
        Source(PAPER, "Fig. 4 (right)"),
        "golatkar.augmentation-sliding-no-norm",
        "middle_*",
        reading="A window of 50 epochs from epoch 50 on gains more than one from 0 on, and than one from 150 on.",
    ),
    empirical(
        "golatkar.mixup",
        "Mixup in the critical period alone is better than throughout",
        r"\text{mixup only in the critical period (first 75-100 epochs) generalizes better than mixup throughout}",
        Source(PAPER, "Fig. 3, center right"),
        "golatkar.mixup-interrupted*",
        "half",
        reading="Mixup in the first 100 epochs; that it is better than none is nowhere said, and not asked.",
    ),
    empirical(
        "golatkar.fisher-peak",
        "The peak of the Fisher information correlates with generalisation, its final value less",
        r"r(\max_t \text{tr} F_t,\ \text{test accuracy}) = 0.92, \quad r(\text{tr} F_T,\ \text{test accuracy}) = 0.29",
        Source(PAPER, "section 4, Weight decay, Fisher and flatness, Fig. 5"),
        "golatkar.fisher*",
        "pearson_peak peak_over_final pearson_final",
        reading=(
            "The first correlation is strong, stronger than the second, and the second is not significant for so many "
            "runs (two-sided p > 0.05); the numbers printed are of one set of runs."
        ),
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
        "golatkar.fisher-final",
        "Weight decay has a negligible effect on the final Fisher information",
        r"\text{weight decay increases the peak of the FIM during the transient, with negligible effect on the final "
        r"value (see when regularization is terminated beyond 100 epochs)}",
        Source(PAPER, "Fig. 5 (left)"),
        "golatkar.fisher*",
        "final_above final_below",
        reading=(
            "What 100 epochs of weight decay change at the end is less than a tenth of what they change at the "
            "peak. Section 4 says of the figure that weight decay increases the curvature of the convergence point."
        ),
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
        reading="Initial: the mean over the first 75 epochs. Final: at epoch 200, of runs that go on after it too.",
    ),
    empirical(
        "golatkar.weight-norm",
        "The norm of the weights follows the regulariser, generalisation does not follow the norm",
        r"\text{the norm changes after switching the regularizer; weight decay at the beginning yields a higher norm "
        r"than from epoch 25 on, and better generalization}",
        Source(PAPER, "Fig. 2A to 2C"),
        "golatkar.weight-norm*",
        "grows_without shrinks_with early_over_later_window early_window",
        reading=(
            "Without weight decay in the second half the norm grows by a tenth or more, with it alone it ends at nine "
            "tenths or less; of windows from 0 and from 25 on, both are compared in norm and accuracy."
        ),
    ),
    empirical(
        "golatkar.window-at-50",
        "A window of weight decay at epoch 50 leaves a smaller norm, and generalises worse, than one at the start",
        r"\text{networks with regularization applied around epoch 50, despite having smaller weight norm (compare "
        r"onset epoch 50 to onset epoch 0), generalize poorly (0.24\% compared to 1.92\% for onset epoch 0)}",
        Source(PAPER, "section 4, Effect of Batch-Normalization; Fig. 1 (top right) and 2C"),
        "golatkar.weight-norm*",
        "*_over_window_50",
        reading="Generalises better: by half at least of what the two numbers differ by.",
    ),
    empirical(
        "golatkar.paths",
        "Where weight decay ends late, training ends in one area; with augmentation it always does",
        r"\text{removing weight decay before the end of the critical period leads to different regions; "
        r"afterwards all points lie in a similar area}",
        Source(PAPER, "Fig. 2D and 2E"),
        "golatkar.paths*",
        reading=(
            "In the plane of the first two principal components of all paths, as shares of the way of the run that is "
            "regularised throughout: from there, all of the runs until epoch 75 or later end nearer than those until "
            "25 and 50, but more than 1 % away; with augmentation the ends spread less than with weight decay."
        ),
    ),
    empirical(
        "golatkar.regularisers",
        "Augmentation is more effective than weight decay, which has the more significant critical period",
        r"\text{WD exhibits more significant critical period behavior than DA; at convergence, data augmentation is "
        r"more effective than weight decay}",
        Source(PAPER, "section 4, Regularization delayed, Fig. 1 (center)"),
        "golatkar.regularisers",
        "worth_more lost_more",
        reading=(
            "Of ResNet-18. More effective: throughout against never, the other being on. Critical period: the share of "
            "this that is lost when the regulariser begins at epoch 50; where one does not help nothing is decided."
        ),
    ),
    empirical(
        "golatkar.constant-rate",
        "At a constant learning rate the network does not converge",
        r"\text{the same experiment with constant learning rate is inconclusive since the network does not converge}",
        Source(PAPER, "Fig. 3"),
        "golatkar.constant-rate",
        "train_error",
        reading="At the rate 0.1 at least one of the runs ends above 1 % of training error; which network is not said.",
    ),
)
