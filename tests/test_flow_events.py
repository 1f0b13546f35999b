"""Events of the flow: against exact times, where there are none, and what a stop leaves."""

import math

import numpy as np
import pytest

import linreg_dyn as ld
from linreg_dyn import closed_form
from linreg_dyn.ensemble.events import Band, Event

TIMES = np.linspace(0.0, 3.0, 13)
RTOL = 1e-12
GD = ld.GradientDescent()


def run(starts, events, times=TIMES, **options):
    return ld.flow(starts, GD, times=times, events=events, rtol=RTOL, atol=RTOL, **options)


def logistic_time(W0, W):
    """`dW/dt = -4 (W - 1) W` for two balanced layers: `4 t = log(W/(1 - W)) - log(W0/(1 - W0))`."""
    return (math.log(W / (1 - W)) - math.log(W0 / (1 - W0))) / 4


def test_crossing_times_of_two_balanced_layers():
    """Each weight is good to some 100 tolerances, W to twice that; a time to that over `dW/dt = 4 W (1 - W)`."""
    starts, values = np.array([0.01, 0.2, 0.5]), [0.3, 0.6, 0.9]
    ds = run(np.sqrt([starts, starts]).T, [Event("end_to_end", value) for value in values])
    for i, W0 in enumerate(starts):
        for e, W in enumerate(values):
            allowed = 200 * RTOL / (4 * W * (1 - W))
            if W > W0:
                assert abs(ds.event_time[i, e] - logistic_time(W0, W)) < allowed
                # on the interpolant it is exact: the weights there have just crossed
                assert 0 <= ds.event_weights[i, e].prod() - W < 4e-16
            else:
                assert np.isnan(ds.event_time[i, e])
                assert np.isnan(ds.event_weights[i, e]).all()
    assert ds.event_time.dims == ("trajectory", "event")
    assert (ds.status == 0).all()


@pytest.mark.parametrize("depth", [1, 4])
def test_entering_a_band_against_the_exact_clock(depth):
    """From below and from above; the balls of `balanced_time` are the oracle."""
    for start, edge in ((0.3, 0.9), (2.0, 1.1)):
        time = run([[start ** (1 / depth)] * depth], Band(0.9, 1.1)).event_time.item()
        speed = 2 * depth * abs(1 - edge) * edge ** (2 - 2 / depth)  # |dW/dt|
        exact, wrong = (float(closed_form.balanced_time(depth, start, at).mid()) for at in (edge, edge + 1e-6))
        assert abs(time - exact) < 200 * depth * RTOL / speed
        assert abs(time - wrong) > 1e-7


@pytest.mark.parametrize("depth", [2, 3, 7])
def test_at_the_time_found_the_exact_flow_is_at_the_edge(depth):
    starts = np.random.default_rng(depth).uniform(0.6, 1.4, (20, depth))
    W = starts.prod(axis=1)
    ds = run(starts, Band(0.9, 1.1))
    outside = abs(W - 1) > 0.1
    assert 10 < outside.sum() <= 20
    for i in range(20):
        time, edge = ds.event_time.values[i, 0], 0.9 if W[i] < 1 else 1.1
        if outside[i]:
            assert abs(closed_form.flow(starts[i], time).prod() - edge) < 200 * depth * RTOL
            assert abs(closed_form.flow(starts[i], time + 1e-7).prod() - edge) > 200 * depth * RTOL
        else:
            assert time == 0
            np.testing.assert_array_equal(ds.event_weights[i, 0], starts[i])


def test_directions():
    """W falls from 2 to 1; with weight decay the imbalance of two layers falls as `e^(-4 mu t)`."""
    down = run([[2.0, 1.0]], [Event("end_to_end", 1.5, direction) for direction in ("up", "down", "any")])
    assert np.isnan(down.event_time[0, 0])
    assert down.event_time[0, 1] == down.event_time[0, 2] > 0
    mu = 0.1
    ds = run([[2.0, 1.0]], Event("layer_imbalance", 2.0, "down"), weight_decay=mu)
    assert ds.event_time.item() == pytest.approx(math.log(3 / 2) / (4 * mu), abs=1e-9)


def test_no_event_where_nothing_crosses():
    """Beyond the rest point, at what is conserved, at a touch from one side, on the value from the start."""
    starts = [[0.5, 0.7], [1.5, 1.2]]
    never = [
        Event("end_to_end", 2.5),
        Event("end_to_end", -0.1),
        Event("layer_imbalance", 0.9),
        Event("loss", -1e-9),  # the loss tends to 0 from above, and stays there
        Band(3.0, 4.0),
        Band(0.2, 3.0, direction="out"),
    ]
    assert np.isnan(run(starts, never).event_time).all()
    first = [Event("end_to_end", 0.5, direction) for direction in ("up", "down", "any")]
    ds = run([[0.5, 1.0]], first)
    np.testing.assert_array_equal(ds.event_time[0], [np.nan, np.nan, 0.0])  # "any": it is there


def test_leaving_and_leaping_over_a_band():
    """A band far thinner than a step is entered by leaping over it, and left right after."""
    thin = run([[0.5, 0.5]], [Band(0.5, 0.5 + 1e-7), Band(0.5, 0.5 + 1e-7, direction="out")])
    entered, left = thin.event_time.values[0]
    assert abs(entered - logistic_time(0.25, 0.5)) < 1e-9
    assert abs(left - entered - 1e-7) < 1e-9  # dW/dt is 1 there


def test_a_brief_excursion_is_seen_when_it_is_longer_than_a_piece():
    """With strong decay W overshoots: it rises, then falls. Its peak just above a value is two crossings."""
    start, mu, times = [[0.2, 2.0]], 0.2, np.linspace(0, 5, 2001)
    W = run(start, (), times=times, weight_decay=mu).end_to_end.values[:, 0]
    peak = W.max()
    assert peak > max(W[0], W[-1]) + 0.05
    ds = run(start, [Event("end_to_end", peak - 0.01, d) for d in ("up", "down")], weight_decay=mu, times=[5.0])
    up, down = ds.event_time.values[0]
    assert up < times[W.argmax()] < down
    tangent = run(start, Event("end_to_end", peak + 1e-3), weight_decay=mu, times=[5.0])  # above the peak
    assert np.isnan(tangent.event_time.item())


def test_a_terminal_event_stops_there():
    starts = [[0.5, 0.5], [1.0, 1.0]]
    events = [Event("end_to_end", 0.5, terminal=True), Event("end_to_end", 0.9), Event("end_to_end", 0.4)]
    ds = run(starts, events)
    assert ds.status.values.tolist() == [2, 0]
    assert ds.status.attrs["flag_meanings"] == "ok unfinished stopped"
    stop = ds.event_time.values[0, 0]
    assert ds.end_time.values.tolist() == [stop, 3.0]
    np.testing.assert_array_equal(ds.final_weights[0], ds.event_weights[0, 0])
    assert np.isnan(ds.event_time[0, 1])  # it would come later
    assert ds.event_time[0, 2] < stop
    reached = stop >= TIMES
    assert np.isfinite(ds.weights[:, 0]).all("layer").values.tolist() == reached.tolist()
    assert 0 < reached.sum() < len(TIMES)
    free = run(starts, events[1:])
    np.testing.assert_array_equal(ds.weights[reached], free.weights[reached])
    assert free.event_time[0, 0] > stop
    inside = run([[1.0, 1.0]], Band(0.9, 1.1, terminal=True))
    assert (inside.status.item(), inside.end_time.item(), inside.integrator_steps.item()) == (2, 0.0, 0)


def test_events_change_no_step():
    starts = np.random.default_rng(3).uniform(0.5, 1.5, (9, 3))
    plain, watched = run(starts, ()), run(starts, Band(0.99, 1.01))
    for name in plain.data_vars:
        np.testing.assert_array_equal(plain[name], watched[name])
    assert "event_time" not in plain
    assert watched.event.item() == "end_to_end in 0.99 to 1.01"
    assert run(starts, Event("loss", 0.25, "down", terminal=True)).event.item() == "loss down 0.25 terminal"
    assert '"low": 0.99' in watched.attrs["spec"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Event("weights", 1), ValueError, "observable of an Event must be one of 'loss'"),
        (lambda: Event("loss", math.nan), ValueError, "value of an Event must be a finite number, got nan"),
        (lambda: Event("loss", 1, "sideways"), ValueError, "direction of an Event must be one of 'up'"),
        (lambda: Event("loss", 1, terminal=1), TypeError, "terminal of Event must be True or False, got 1"),
        (lambda: Band(1, 1), ValueError, "low of a Band must be less than high, got 1.0 and 1.0"),
        (lambda: Band(0, math.inf), ValueError, "high of a Band must be a finite number, got inf"),
        (lambda: Band(0, 1, direction="up"), ValueError, "direction of a Band must be one of 'in', 'out'"),
    ],
)
def test_bad_events_are_refused_by_name(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value).startswith(message)
