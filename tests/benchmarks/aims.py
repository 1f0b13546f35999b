"""The aims, each judged by the rows that speak of it: (text, worst value, where, met or not)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks import ntk_kernels, ntk_modes
from tests.benchmarks.cases import BATCHES, INERT, NOISELESS, NOISY

Row = dict[str, Any]
MINE = "ours, engine"


@dataclass(frozen=True)
class Verdict:
    """One aim: the worst value found for it, against `bound`."""

    aim: str
    bound: float
    worst: float | None
    where: str
    met: bool | None


def ratio(row: Row, *others: str) -> float | None:
    """How many times faster ours is than the fastest of `others`; None where one side was not measured."""
    cells = row["contenders"]
    unit = "trajectories_per_s" if row["what"] == "flow" else "trajectory_steps_per_s"
    mine = cells.get("ours" if row["what"] == "flow" else MINE, {}).get(unit)
    theirs = [cells[name][unit] for name in others if unit in cells.get(name, {})]
    return mine / max(theirs) if mine and theirs else None


def _place(row: Row) -> str:
    parts = (
        row.get("rule"),
        f"depth {row['depth']}",
        row.get("dtype"),
        f"{row['steps']} steps" if "steps" in row else "",
    )
    return " ".join(part for part in parts if part)


def _judge(aim: str, bound: float, values: Iterable[tuple[float | None, str]], at_most: bool = False) -> Verdict:
    known = [(value, where) for value, where in values if value is not None]
    if not known:
        return Verdict(aim, bound, None, "not measured", None)
    worst, where = (max if at_most else min)(known)
    return Verdict(aim, bound, worst, where, worst <= bound if at_most else worst >= bound)


def _speed(rows: list[Row], rule: str, depth: int, dtype: str, unit: str) -> float | None:
    for row in rows:
        if (row.get("rule"), row.get("depth"), row.get("dtype")) == (rule, depth, dtype) and row["what"] == "training":
            return row["contenders"].get(MINE, {}).get(unit)
    return None


def _relative(rows: list[Row], row: Row, rule: str, depth: int, unit: str) -> float | None:
    mine = _speed(rows, row["rule"], row["depth"], row["dtype"], unit)
    other = _speed(rows, rule, depth, row["dtype"], unit)
    return mine / other if mine and other else None


def judge(rows: list[Row]) -> list[Verdict]:
    """All aims for the CPU."""

    def over(rules: tuple[str, ...], value: Callable[[Row], float | None]):
        return [(value(row), _place(row)) for row in rows if row["what"] == "training" and row["rule"] in rules]

    deep = [row for row in rows if row["what"] == "training" and row["depth"] == 64 and row["rule"] in NOISELESS]
    noisy = [row for row in rows if row["what"] == "training" and row["depth"] == 4 and row["rule"] in NOISY]
    of = {what: [row for row in rows if row["what"] == what] for what in ("flow", "record", "compile")}
    scipy = ("scipy RK45", "scipy DOP853", "scipy LSODA")
    hand = ("JAX", "JAX W/w")
    layer, step = "layer_steps_per_s", "trajectory_steps_per_s"
    return [
        _judge("no noise: of the C kernel", 0.9, over(NOISELESS, lambda row: ratio(row, "C"))),
        _judge("no noise: times JAX by hand", 6, over(NOISELESS, lambda row: ratio(row, *hand))),
        _judge("no noise: times jax.grad", 12, over(NOISELESS, lambda row: ratio(row, "JAX grad"))),
        _judge(
            "layer-steps/s at depth 64, of those at depth 4",
            0.4,
            [(_relative(rows, row, row["rule"], 4, layer), _place(row)) for row in deep],
        ),
        _judge("noise: times JAX's threefry", 6, over(NOISY, lambda row: ratio(row, *hand))),
        _judge(
            "noise at depth 4: of the noiseless speed",
            0.4,
            [(_relative(rows, row, "gd", 4, step), _place(row)) for row in noisy],
        ),
        _judge("mini-batches, momentum: times JAX", 5, over(BATCHES + INERT, lambda row: ratio(row, *hand))),
        _judge("flows: times solve_ivp, its fastest method", 100, [(ratio(r, *scipy), _place(r)) for r in of["flow"]]),
        _judge(
            "flows: times solve_ivp, its default method", 100, [(ratio(r, scipy[0]), _place(r)) for r in of["flow"]]
        ),
        _judge(
            "first result, cold cache: seconds",
            5,
            [(row.get("cold", {}).get("call"), _place(row)) for row in of["compile"]],
            at_most=True,
        ),
        _judge(
            "100 records of 4 observables add",
            0.15,
            [(row.get("added"), _place(row)) for row in of["record"]],
            at_most=True,
        ),
        *(_judge(*aim) for aim in ntk_modes.aims(rows)),
        *(_judge(*aim) for aim in ntk_kernels.aims(rows)),
    ]
