"""Random schedules of every type, for hypothesis."""

from hypothesis import strategies as st

from linreg_dyn import schedules

value = st.floats(0.001, 10)
count = st.integers(1, 60)


@st.composite
def _steps(draw):
    milestones = sorted(draw(st.sets(count, max_size=4)))
    values = draw(st.lists(value, min_size=len(milestones) + 1, max_size=len(milestones) + 1))
    stop = draw(st.none() | st.integers(61, 200))
    return schedules.Steps(tuple(values), milestones=tuple(milestones), stop=stop)


@st.composite
def _window(draw, inner):
    start = draw(st.integers(0, 100))
    stop = draw(st.none() | st.integers(start, 200))
    return schedules.Window(draw(inner), start=start, stop=stop, outside=draw(value))


def _around(inner):
    parts = st.lists(inner | value, min_size=1, max_size=3).map(tuple)
    levels = st.dictionaries(value, value, min_size=1, max_size=4).map(lambda table: tuple(table.items()))
    return (
        _window(inner)
        | st.builds(schedules.PerEpoch, inner, steps_per_epoch=st.integers(1, 7))
        | st.builds(schedules.Product, parts)
        | st.builds(schedules.Sum, parts)
        | st.builds(schedules.InverseOfRate, inner, product=value, most=value)
        | st.builds(schedules.ByRate, inner, levels=levels)
    )


LEAVES = (
    st.builds(schedules.Constant, value)
    | _steps()
    | st.builds(schedules.Exponential, value, factor=st.floats(0.5, 1), every=count)
    | st.builds(schedules.Cosine, value, steps=count, end=value)
    | st.builds(schedules.CosineRestarts, value, period=count, growth=st.integers(1, 3), end=value)
)
OF_TIME = st.recursive(LEAVES, _around, max_leaves=4)
SCHEDULES = OF_TIME | st.builds(schedules.Adaptive, OF_TIME)
"""Schedules of every type, those of time alone up to a few levels deep."""


def limited(schedule, steps):
    """`steps` folded into the schedule's length."""
    return steps if schedule.length is None else [step % schedule.length for step in steps]
