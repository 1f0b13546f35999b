"""Lewkowycz & Gur-Ari (2020): the time to the best test accuracy is c / (rate l2), and what follows from it.

Convention: the loss is L + l2/2 |w|^2, their lambda. Their cross entropy has a factor 1 / (2 k), k classes ("softmax"
below is without it). "Within" is always their half a per cent of accuracy.

Margins: of the slope -1, because the paper finds c "~ 2 times higher" for small l2 than for large (SM C.3), which over
two decades is a slope of -1.15: sweeps have more than that (two and a half: -1.12), or intervals would lie across the
margin where the paper is right. Of accuracies "independent of l2", twice their half a per cent.
"""

from __future__ import annotations

from validation.experiments.lewkowycz.applications import APPLICATIONS, BUDGETS
from validation.experiments.lewkowycz.others import CATAPULT, IMAGENET, KERNEL, NARROW, TRAIN_TIME
from validation.experiments.lewkowycz.sweeps import OTHERS, T_STAR

EXPERIMENTS = (T_STAR, *OTHERS, *APPLICATIONS, BUDGETS, KERNEL, TRAIN_TIME, CATAPULT, NARROW, IMAGENET)
