"""Chunks: every trajectory of every point once, about as long as asked for, refused where they cannot be."""

import dataclasses
import tomllib

import numpy as np
import pytest

from linreg_dyn.sweep import axes, costs, plan, spec, starts

SPEC = """
[run]
depth = 3
steps = 10_000
learning_rate = 0.1
trajectories = 100_000
starts = {distribution = "normal", std = 0.5}
[grid]
weight_decay = [0.0, 0.1]
"""


def parse(text):
    return spec.parse(tomllib.loads(text))


def planned(text):
    return plan.make(parse(text))


def boxes(made):
    return [(chunk.points, chunk.trajectories) for chunk in made.chunks()]


def test_chunks_cover_every_trajectory_of_every_point_once():
    text = SPEC + "seed = {range = [0, 5]}\n[store]\nchunk_seconds = 0.1"
    made = planned(text)
    covered = np.zeros((*made.sweep.shape, made.sweep.trajectories), dtype=int)
    for points, cut in boxes(made):
        covered[tuple(slice(*bounds) for bounds in (*points, cut))] += 1
    assert (covered == 1).all()
    assert len({chunk.name for chunk in made.chunks()}) == len(boxes(made)) > 10
    assert all(cut[0] % starts.DRAWN_TOGETHER == 0 for _, cut in boxes(made))
    assert boxes(made) == boxes(planned(text))


def test_small_points_share_a_chunk():
    made = planned(SPEC.replace("100_000", "10").replace("10_000", "100") + "seed = {range = [0, 700]}")
    assert made.layout.box["weight_decay"] == 1
    assert 100 < made.layout.box["seed"] <= 500
    assert len(boxes(made)) == 6


@pytest.mark.parametrize("seconds", [0.5, 5.0, 50.0])
def test_chunks_last_about_as_long_as_asked_for(seconds):
    """A point's ensemble is cut into slices of at most twice that, points that are shorter share a chunk."""
    grid = 'seed = {range = [0, 100]}\n[record]\nevery = 10_000\nreduce = "mean"\n[store]\nchunk_seconds = '
    made = planned(SPEC.replace("10_000", "100_000") + grid + str(seconds))
    each = made.seconds / len(list(made.chunks()))
    assert seconds / 2 < each <= 2 * seconds


def test_the_axes_that_matter_decide_what_a_point_takes():
    """The same points one after another, as sweeps of one point each, take the same time in all."""
    text = SPEC.replace("depth = 3\n", "") + "depth = [2, 8]\nsteps = [10, 1000]\nmomentum = [0.0, 0.5]\n"
    grid = parse(text)
    alone = []
    for depth in (2, 8):
        for steps in (10, 1000):
            for momentum in (0.0, 0.5):
                one = {"depth": depth, "steps": steps, "momentum": momentum}
                axis = axes.Axis("seed", {"seed": (0,)}, "grid.seed")
                alone += costs.of_points(dataclasses.replace(grid, run=grid.run | one, axes=(axis,)))
    assert costs.of_points(grid) == alone
    assert plan.make(grid).seconds == pytest.approx(2 * sum(alone), rel=1e-12)


@pytest.mark.parametrize(
    ("change", "slower"),
    [
        ("depth = 6", True),
        ("steps = 20_000", True),
        ('learning_rate = {type = "Adaptive", c = 0.1}', True),
        ("momentum = 0.5", True),
        ('weight_decay = {type = "AutoL2"}', True),
        ('method = "SGDNoise"\nhalf_width = 0.1', True),
        ('method = "MiniBatch"\nbatch_size = 8', True),
        ('dtype = "float32"', False),
        ("learning_rate = 0.2", None),
        ("weight_decay = 0.1", None),
        ("seed = 5", None),
    ],
)
def test_what_costs_more_counts_more(change, slower):
    text = SPEC.replace("weight_decay = [0.0, 0.1]", "starts.seed = [1]")
    run = tomllib.loads(text)["run"] | tomllib.loads(change)
    one = costs.of_points(parse(text))[0]
    other = costs.of_points(spec.parse(tomllib.loads(text) | {"run": run}))[0]
    assert (other > one, other < one) == {True: (True, False), False: (False, True), None: (False, False)}[slower]


@pytest.mark.parametrize(
    ("record", "slower"),
    [
        ("", 1),
        ('reduce = ["mean"]', 1),
        ('reduce = [{type = "Histogram", edges = [0, 1]}]', 2),
        ('reduce = [{type = "Quantiles"}]', 3),
        ('reduce = [{type = "Quantiles"}, "max", "mean", "variance"]', 3),
    ],
)
def test_recording_counts(record, slower):
    without = costs.of_points(parse(SPEC.replace("100_000", "1000")))[0]
    recorded = costs.of_points(parse(SPEC.replace("100_000", "1000") + "[record]\nevery = 10\n" + record))[0]
    assert recorded > (1 + slower / 2) * without


def test_quantiles_keep_an_ensemble_in_one_piece_and_histograms_do_not():
    cut = SPEC + "[store]\nchunk_seconds = 0.01\n[record]\nevery = 1000\nreduce = "
    assert len(boxes(planned(cut + '[{type = "Histogram", edges = [0, 1]}, "mean", "min"]'))) > 20
    assert len(boxes(planned(cut + '["mean", {type = "Quantiles"}]'))) == 2


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            'reduce = {type = "Quantiles"}',
            "quantiles need all of them in one place; take at most [0-9]+ trajectories, or a Hist",
        ),
        ("every = 1", "they are computed together; record a larger every, fewer observables, or a reduce"),
    ],
)
def test_what_is_too_large_and_cannot_be_cut_is_refused(record, message):
    text = SPEC.replace("100_000", "100_000_000").replace("10_000\n", "1_000_000\n")
    with pytest.raises(
        ValueError, match=f"^run.trajectories: [0-9]+ trajectories take .* GiB, and {message}"
    ) as caught:
        planned(f"{text}[record]\n{record}")
    assert "\n" not in str(caught.value)
    most = str(caught.value).partition("at most ")[2].partition(" ")[0]
    if most:
        planned(f"{text}[record]\n{record}".replace("100_000_000", most))


def test_recorded_numbers_count_by_their_size_and_are_refused_where_they_are_too_many():
    """A histogram of 1024 bins at 2^17 steps: at 8 bytes a number, 1 GiB and what is counted besides."""
    text = SPEC.replace("10_000\n", f"{2**17 - 1}\n").replace("100_000", "10") + '[record]\nobservables = ["loss"]\n'
    text += 'reduce = {type = "Histogram", edges = {linear = [0, 1], points = 1025}}\n'
    with pytest.raises(
        ValueError, match=r"^record: what is recorded of one point takes 1[.0-9]* GiB, .* record a larg"
    ):
        planned(text)
    most, fewer = planned(text + "every = 2\n"), planned(text.replace("1025", "25") + "every = 2\n")
    numbers = (most.layout.nbytes - fewer.layout.nbytes) / 8
    assert numbers == 2 * 1000 * (2**16 + 1)
    assert most.seconds - fewer.seconds == pytest.approx(costs.STORED * numbers, rel=1e-12)


def test_ten_thousand_points_are_checked_and_planned_at_once():
    """Axes that do not meet are not multiplied: all combinations would be a million checks."""
    text = SPEC + "seed = {range = [0, 100]}\nmomentum = {linear = [0, 0.9], points = 100}"
    sweep = parse(text)
    assert sweep.shape == (2, 100, 100)
    assert len(costs.of_points(sweep)) == 100
