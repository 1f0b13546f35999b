"""Predictions, their verdicts, and what a spec is known by."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.toy_experiments import WITHIN, experiment, near
from validation.core import Prediction
from validation.statistics import mean_interval, slope_interval


def test_intervals_are_those_of_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=9), rng.normal(size=9)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    got = mean_interval(x)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    fit = stats.linregress(x, y)
    got = slope_interval(x, y, 0.95)
    assert got.estimate == pytest.approx(fit.slope, rel=1e-12)
    assert got.high - got.estimate == pytest.approx(stats.t.ppf(0.975, 7) * fit.stderr, rel=1e-9)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    hits = sum(i.low <= 2 <= i.high for i in (mean_interval(rng.normal(2, 1, 4)) for _ in range(2000)))
    assert stats.binomtest(hits, 2000, 0.9).pvalue > 1e-4
    x = np.arange(5.0)
    hits = sum(i.low <= -1 <= i.high for i in (slope_interval(x, rng.normal(-x, 1)) for _ in range(2000)))
    assert stats.binomtest(hits, 2000, 0.9).pvalue > 1e-4


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0]]])
def test_intervals_refuse_what_is_no_sample(values):
    with pytest.raises(ValueError, match="values must be finite"):
        mean_interval(values)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([-1.0, -1.01, -0.99], "agrees"),
        ([-0.5, -0.51, -0.49], "disagrees"),
        ([-1.0, -1.4, -0.6], "inconclusive"),  # right on average, but too wide
        ([-1.0], "inconclusive"),  # one seed says nothing about another
        ([-1.0, -1.0, math.nan], "inconclusive"),
        ([], "inconclusive"),
    ],
)
def test_verdicts_by_equivalence(values, verdict):
    assert WITHIN.judge({"slope": values}).verdict == verdict


@pytest.mark.parametrize(
    ("values", "verdict"), [([0.1, 5.0], "agrees"), ([0.1, -1e-9], "disagrees"), ([0.1, math.nan], "inconclusive")]
)
def test_an_exact_bound_holds_on_every_seed_or_not(values, verdict):
    assert Prediction("gap", "never negative", low=0, exact=True).judge({"gap": values}).verdict == verdict


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("low", "high", "same"), [(0.0, math.inf, 0.0), (-math.inf, 1.0, 1.0), (0.0, 1.0, 1.0)])
def test_no_effect_at_all_is_no_evidence(low, high, same, exact):
    """Identical runs, or accuracies too coarse to differ: neither larger nor smaller."""
    prediction = Prediction("gain", "it raises the accuracy", low, high, exact=exact)
    assert prediction.judge({"gain": [same] * 3}).verdict == "inconclusive"
    beyond = np.nextafter(same, -math.inf if same == low else math.inf)
    assert prediction.judge({"gain": [beyond] * 3}).verdict == "disagrees"


@pytest.mark.parametrize(
    ("helps", "verdicts"),
    [
        ([-0.01, 0.03, 0.02, 0.02, 0.03], ["agrees", "disagrees"]),  # one seed without an effect is no reason
        ([0.0, 0.0, 0.0, 0.0, 0.0], ["inconclusive"] * 2),
        ([-0.03, 0.03, 0.01, -0.02, 0.02], ["inconclusive"] * 2),  # its mean is above 0, by chance
        ([-0.02, -0.03, -0.02, -0.02, -0.03], ["inconclusive"] * 2),
        ([0.02, 0.03, math.nan, 0.02, 0.03], ["inconclusive"] * 2),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_what_a_prediction_presupposes_is_of_the_mean_over_seeds(helps, verdicts, exact):
    late, metrics = [0.001, -0.001, 0.0, 0.001, -0.001], {"helps": helps}
    given = stats.ttest_1samp(helps, 0, alternative="greater").pvalue < 0.05
    assert given == ("agrees" in verdicts)
    prediction = Prediction("late", "nothing is gained", high=0.003, exact=exact, presupposes="helps")
    found = [prediction.judge(metrics | {"late": [x + up for x in late]}).verdict for up in (0, 0.01)]
    assert found == verdicts
    assert Prediction.from_json(prediction.to_json()) == prediction


def test_a_prediction_that_presupposes_nothing_is_written_as_it_always_was():
    assert "presupposes" not in WITHIN.to_json()
    assert Prediction.from_json(WITHIN.to_json()) == WITHIN


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (-math.inf, math.inf), (math.nan, 1)])
def test_a_prediction_must_be_able_to_fail(low, high):
    with pytest.raises(ValueError, match="must bound a region"):
        Prediction("slope", "anything", low=low, high=high)


def test_the_digest_depends_on_all_that_matters():
    spec = experiment(near(-1), rate=0.1).spec("quick")
    assert spec.digest == experiment(near(-2), rate=0.1).spec("quick").digest
    others = [
        experiment(near(-1), rate=0.2),
        experiment(near(-1), rate=0.1, seeds=4),
        experiment(near(-1), rate=0.1, predictions=(replace(WITHIN, high=-0.8),)),
        experiment(near(-1), rate=0.1, id="toy.two"),
    ]
    digests = {other.spec("quick").digest for other in others}
    assert len(digests | {spec.digest}) == 5
    with pytest.raises(ValueError, match=r"scale must be one of quick for toy\.one, got 'paper'"):
        experiment(near(-1)).spec("paper")
