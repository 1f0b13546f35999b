"""What a command has written: the names, and whether a picture shows anything."""

import numpy as np
from matplotlib.image import imread


def listing(directory):
    """Names of all that is in a directory and below it, sorted."""
    return sorted(path.name for path in directory.rglob("*"))


def is_blank(path):
    """Whether a picture, or a half of it, has next to no ink, or is nothing but ink."""
    ink = imread(path)[:, :, :3].min(axis=2) < 0.9
    halves = (*np.array_split(ink, 2, axis=0), *np.array_split(ink, 2, axis=1))
    return not 0.01 < ink.mean() < 0.8 or min(half.mean() for half in halves) < 0.005
