"""What pictures of phase planes say of themselves."""

import pytest

from linreg_dyn.ensemble import MiniBatch, NoiseAugmentation, SGDNoise
from linreg_dyn.phase import Plane, critical_map, portrait
from linreg_dyn.phase.words import caption, setting
from linreg_dyn.schedules import Adaptive, Cosine, Window
from tests.phases import GD, data


def test_words_name_every_layer_once():
    training = {"steps": 7, "learning_rate": Adaptive(0.25), "weight_decay": 0.0}
    tied = Plane(9, (1, 2), others=("w1", "w1", "w1", 0.5, "w2", "w2", 0.5))
    text = setting(tied, NoiseAugmentation(0.4), training)
    assert text == (
        r"9 layers, $w_{3} = \dots = w_{5} = w_{1}$, $w_{6} = 0.5$, $w_{7} = w_{8} = w_{2}$, $w_{9} = 0.5$, "
        r"noise augmentation, $\eta$ uniform, $|\eta| \leq 0.4$, learning rate $0.25 \,/\, \sum 1/w_i^2$, 7 steps"
    )
    training = {"steps": 7, "weight_decay": Window(0.1, stop=5), "momentum": 0.9, "nesterov": True, "dtype": "float32"}
    assert setting(Plane(), GD, training | {"learning_rate": Cosine(0.1, steps=9)}) == (
        "2 layers, gradient descent, learning rate Cosine(0.1, steps=9), weight decay Window(0.1, stop=5), "
        "Nesterov momentum 0.9, float32, 7 steps"
    )
    assert setting(Plane(4), MiniBatch(data(), 3), {"steps": 7, "weight_decay": 0.1}) == (
        r"4 layers, the others $w_i = 1$, mini-batches of 3 of 8 samples, weight decay $\mu = 0.1$, 7 steps"
    )


@pytest.mark.parametrize(
    ("method", "more", "text"),
    [
        (GD, {}, "the velocity, $-2 (W - 1) W/w_i$."),
        (GD, {"weight_decay": 0.2, "momentum": 0.5}, r"$-2 ((W - 1) W/w_i + \mu w_i)$; momentum takes trajectories"),
        (
            SGDNoise(0.3),
            {},
            "the mean over the noise of the velocity, $-2 g W/w_i$ with $g = W - 1$ for noise of mean 0.",
        ),
        (
            NoiseAugmentation(0.3),
            {"weight_decay": 0.1},
            r"$-2 (g W/w_i + \mu w_i)$ with $g = (1 + \sigma^2) W - 1$ for",
        ),
    ],
)
def test_streamlines_are_said_to_follow_the_velocity(method, more, text):
    result = portrait(Plane(), method, steps=1, learning_rate=0.1, size=4, trajectories=0, **more)
    assert text in caption(result, Plane(), "title")


def test_names_of_bands_keep_their_capitals_and_mathematics_its_dollars():
    result = portrait(Plane(), SGDNoise(0.3), steps=1, learning_rate=0.1, size=4)
    assert "\nSGD noise band: " in caption(result, Plane(), "title")
    for method, c in ((GD, 0.25), (NoiseAugmentation(0.3), 0.05)):
        result = portrait(Plane(), method, steps=1, learning_rate=Adaptive(c), size=4)
        prose = "".join(caption(result, Plane(), "title").split("$")[::2])
        assert "W" not in prose
        assert "<" not in prose


def test_a_critical_rate_is_said_to_be_by_bisection():
    result = critical_map(Plane(), 3, GD, rates=(0.1, 1.6), rounds=2, steps=5)
    assert "at one at most 2 times as large" in caption(result, Plane(), "title")  # 16 ** (1 / 4)
