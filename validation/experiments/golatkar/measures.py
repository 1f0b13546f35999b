"""What is trained and measured: regularisers in windows of time, and what a network does meanwhile.

All times are in the paper's epochs, of which there are 200: a setting says how many steps stand for one, so that rates
and windows keep their places in a shorter training.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import torch

from linreg_dyn.schedules import PerEpoch, Schedule, as_schedule
from linreg_dyn.schedules.published import golatkar_windows
from linreg_dyn.schedules.spec import from_spec
from validation.batches import Augment
from validation.context import Context
from validation.core import Measured
from validation.experiments.common import dataset
from validation.experiments.golatkar.predictions import ALWAYS, DIFFERENCES, NEVER
from validation.experiments.guess import per_sample_seconds, seconds, size
from validation.experiments.runs import Curves, Watch, pearson, stacked, train
from validation.measure.curvature import fisher_trace
from validation.measure.paths import principal_components, snapshot
from validation.train import Recipe, Trainer

EPOCHS, HALF = 200, "interrupted-100"
WITH = ("weight_decay", "augmentation")
CRITICAL = 75
"""Epochs that the critical period takes: "from epoch 0 to 75" (Fig. 1)."""
SKETCH = 2**16
"""Numbers that are kept of a network's weights at a time."""


def window(run: str, strength: float, unit: int) -> tuple[Schedule, int]:
    """The strength of the regulariser over steps, and how many steps there are, of a run such as "delayed-100"."""
    kind, _, start = run.partition("-")
    found = golatkar_windows(strength, kind, steps_per_epoch=unit)
    return dict(zip(range(0, 201, 25), found, strict=False))[int(start)]


def recipe(values: dict[str, Any], run: str, seed: int) -> Recipe:
    """How a run is trained: one regulariser has the run's window, the others stay on throughout."""
    regulariser, unit = values["regulariser"], values["unit"]
    on, steps = window(run, values["strength"][regulariser], unit)
    strength: dict[str, Any] = values["strength"] | {regulariser: on}
    moves: dict[str, Any] = dict.fromkeys(values["moves"], strength["augmentation"])
    return Recipe(
        steps,
        values["batch"],
        PerEpoch(from_spec(values["rate"]), steps_per_epoch=unit),
        strength["weight_decay"],
        optimiser="momentum",
        momentum=values["momentum"],
        augment=Augment(**moves, mixup=strength["mixup"], shift=values["shift"]),
        precision=values["precision"],
        seed=seed,
    )


def trained(values: dict[str, Any], seed: int, context: Context, *watched: str, prefix: str = "") -> dict[str, Curves]:
    """The curves of every run; all start from the same weights and see the same batches.

    Args:
        values: the setting; `also` names what else is watched of some runs, as other experiments will ask for it.
        seed: of weights and batches.
        context: where parts are kept.
        watched: what is watched of every run, of `WATCHES`.
        prefix: of the names of the parts.
    """
    data = dataset(values, context, seed)
    every = values["every"] * values["unit"]
    also = values.get("also", {}).get(values["regulariser"], {})
    out = {}
    for run in values["runs"]:
        kinds = [kind for kind in WATCHES if kind in watched or run in also.get(kind, ())]
        watch = {kind: WATCHES[kind](values, seed) for kind in kinds}
        how = recipe(values, run, seed)
        out[run] = train(prefix + run, values["model"], data, how, context, every=every, watch=watch)
    return out


def _fisher(values: dict[str, Any], seed: int) -> Watch:
    """The trace of the Fisher information on the first images, flipped and cropped as training images are: D'."""
    count, rng = values["images"], np.random.default_rng(seed)
    draws: dict[str, np.ndarray] = {"index": np.arange(count)}
    if values["strength"]["augmentation"]:
        chances = {"flip": rng.random(count) < 0.5, "crop": rng.integers(0, 2 * values["shift"] + 1, (2, count))}
        draws |= {"move" if kind == "crop" else kind: chances[kind] for kind in values["moves"]}

    def see(trainer: Trainer) -> dict[str, Any]:
        of = trainer.batches
        few = {name: torch.as_tensor(x[..., : of.count]).to(of.device) for name, x in draws.items()}
        images, _ = of.make(few)
        return fisher_trace(trainer.model, images, seed=seed)._asdict()

    says = {"images": count, "seed": seed}
    return Watch(see, says | ({"moves": values["moves"], "shift": values["shift"]} if len(draws) > 1 else {}))


def _path(_: dict[str, Any], seed: int) -> Watch:
    """All weights, or a sketch of them."""

    def see(trainer: Trainer) -> dict[str, Any]:
        return {"weights": sketched(snapshot(trainer.model), seed)}

    return Watch(see, {"size": SKETCH, "seed": seed})


WATCHES = {"fisher": _fisher, "path": _path}


def guess(values: dict[str, Any]) -> float:
    """Minutes of a seed on one H200."""
    network, total = size(values["model"], values["data"]), 0.0
    for regulariser in values.get("regularisers", [values["regulariser"]]):
        followed = values.get("also", {}).get(regulariser, {}).get("fisher", ())
        for run in values["runs"]:
            _, steps = window(run, 1.0, values["unit"])
            tests = steps // (values["every"] * values["unit"]) + 1
            total += seconds(network, steps=steps, batch=values["batch"], precision=values["precision"], tests=tests)
            total += tests * per_sample_seconds(network, values["images"]) if run in followed else 0.0
    return total / 60


def accuracies(curves: dict[str, Curves]) -> dict[str, float]:
    """Final test accuracy by run."""
    return {run: float(found["test_accuracy"][-1]) for run, found in curves.items()}


def timing(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """Final accuracies and their differences."""
    curves = trained(values, seed, context)
    final = accuracies(curves)
    metrics = {name: final[a] - final[b] for name, (a, b) in DIFFERENCES.items() if a in final and b in final}
    metrics |= {f"accuracy_{run}": value for run, value in final.items()}
    metrics["train_error"] = float(1 - np.min([found["train_accuracy"] for found in curves.values()]))
    return Measured(metrics, _arrays(values, curves))


def regularisers(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """What each of two regularisers is worth, and what of it is lost where it begins at epoch 50.

    `lost_more` has the sign of the difference of the two shares, lost over worth, where both are worth something; it is
    that difference times what both are worth, and bounded where one of them is worth next to nothing.
    """
    metrics, arrays = {}, {}
    for one in values["regularisers"]:
        final = accuracies(trained(values | {"regulariser": one}, seed, context, prefix=f"{one}-"))
        metrics |= {f"worth_{one}": final[ALWAYS] - final[NEVER], f"lost_{one}": final[ALWAYS] - final["delayed-50"]}
        arrays |= {f"final_{one}": np.array(list(final.values())), "runs": np.array(list(final))}
    (a, b), (lost_a, lost_b) = ([metrics[f"{what}_{one}"] for one in WITH] for what in ("worth", "lost"))
    metrics |= {"worth_more": b - a, "worth_least": float(np.min([a, b])), "lost_more": lost_a * b - lost_b * a}
    return Measured(metrics, arrays)


def fisher(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """The trace of the Fisher information during all runs; its peak and its end against accuracy (Fig. 5).

    The peak is that of the transient, without the start, which all runs share. Half of the weight decay raises it by
    `peak_raised`; what it changes at the end is `final_above` higher than a tenth of that, and `final_below` than minus
    a tenth.
    """
    curves = trained(values, seed, context, "fisher")
    final = np.array(list(accuracies(curves).values()))
    peaks = {run: float(np.max(found["fisher.value"][1:])) for run, found in curves.items()}
    ends = {run: float(found["fisher.value"][-1]) for run, found in curves.items()}
    peak, end = (pearson(np.array(list(x.values())), final) for x in (peaks, ends))
    metrics = {"pearson_peak": peak, "pearson_final": end, "peak_over_final": peak - end}
    metrics["peak_ratio"] = peaks[ALWAYS] / peaks[NEVER]
    if HALF in curves:
        raised, changed = peaks[HALF] - peaks[NEVER], ends[HALF] - ends[NEVER]
        metrics |= {"peak_raised": raised, "final_above": changed - raised / 10, "final_below": changed + raised / 10}
    arrays = {"fisher": stacked(curves, "fisher.value"), "peak": np.array(list(peaks.values()))}
    return Measured(metrics, _arrays(values, curves) | arrays)


def effective_rate(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """rate / |w|^2, its mean over the critical period and at epoch 200, against accuracy (Fig. 9)."""
    curves = trained(values, seed, context)
    final = np.array(list(accuracies(curves).values()))
    rates = as_schedule(from_spec(values["rate"]))
    first, last = [], []
    for found in curves.values():
        epochs = found["steps"] // values["unit"]
        effective = rates.at(epochs) / found["squared_norm"]
        first.append(effective[epochs <= CRITICAL].mean())
        last.append(effective[np.searchsorted(epochs, EPOCHS)])
    early, late = pearson(np.array(first), final), pearson(np.array(last), final)
    metrics = {"pearson_initial": early, "pearson_final": late, "initial_over_final": early - late}
    return Measured(metrics, _arrays(values, curves) | {"initial": np.array(first), "final_rate": np.array(last)})


def weight_norm(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """|w| after a regulariser was taken away or came, and at the end of windows (Fig. 2A-C)."""
    curves = trained(values, seed, context)
    norms = {run: np.sqrt(found["squared_norm"]) for run, found in curves.items()}
    middle = 100 // values["every"]
    final = accuracies(curves)
    metrics = {
        "grows_without": norms["interrupted-100"][-1] / norms["interrupted-100"][middle],
        "shrinks_with": norms["delayed-100"][-1] / norms[NEVER][-1],
        "early_over_later_window": norms["sliding-0"][-1] / norms["sliding-25"][-1],
        "early_window": final["sliding-0"] - final["sliding-25"],
    }
    if "sliding-50" in curves:
        metrics["norm_over_window_50"] = norms["sliding-0"][-1] / norms["sliding-50"][-1]
        metrics["gain_over_window_50"] = final["sliding-0"] - final["sliding-50"]
    return Measured(metrics, _arrays(values, curves))


def paths(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """Where runs end, in the plane of the first two principal components of all paths together (Fig. 2D, E).

    One that diverged ends nowhere, and numbers that its end is in are NaN.
    """
    metrics, arrays, spread = {}, {}, {}
    for regulariser in values["regularisers"]:
        plane, where, ended = _plane(values | {"regulariser": regulariser}, seed, context)
        ends = {run: plane[where == k][-1] if ended[k] else np.full(2, np.nan) for k, run in enumerate(values["runs"])}
        size = float(np.linalg.norm(ends[ALWAYS] - plane[0]))
        away = {run: float(np.linalg.norm(end - ends[ALWAYS])) / size for run, end in ends.items()}
        early, late = ([away[run] for run in values[part]] for part in ("early", "late"))
        apart = [float(np.linalg.norm(ends[a] - ends[b])) / size for a, b in combinations(ends, 2)]
        spread[regulariser] = float(np.max(apart))
        nearest = float(np.min(late))
        metrics |= {
            f"late_over_early_{regulariser}": float(np.max(late) / np.min(early)),
            f"late_{regulariser}": nearest,
        }
        arrays |= {f"plane_{regulariser}": plane, f"run_{regulariser}": where}
    metrics["spread_ratio"] = spread["augmentation"] / spread["weight_decay"]
    return Measured(metrics, arrays)


def _plane(values: dict[str, Any], seed: int, context: Context) -> tuple[np.ndarray, np.ndarray, list[bool]]:
    """Coordinates of all snapshots of all runs, (snapshot, 2), the number of the run of each, (snapshot,), and whether
    each run came to its end.
    """
    curves = trained(values, seed, context, "path", prefix=f"{values['regulariser']}-")
    rows, where = [], []
    for k, found in enumerate(curves.values()):
        kept = found["path.weights"][np.isfinite(found["squared_norm"])]  # up to a divergence
        rows.append(kept)
        where += [k] * len(kept)
    ended = [bool(np.isfinite(found["squared_norm"][-1])) for found in curves.values()]
    return principal_components(torch.as_tensor(np.concatenate(rows))).coordinates, np.array(where), ended


def sketched(weights: torch.Tensor, seed: int, size: int = SKETCH) -> np.ndarray:
    """At most `size` numbers instead of all weights, (weight,): each is added, with a random sign, to one of the cells.

    Distances keep within about 1 / sqrt(size) of themselves (CountSketch); few enough weights stay as they are.
    """
    if len(weights) <= size:
        return weights.numpy()
    cells, signs = _cells(len(weights), size, seed)
    return np.bincount(cells, weights=weights.numpy() * signs, minlength=size).astype(np.float32)


@lru_cache(maxsize=1)
def _cells(count: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The cell and the sign of every weight."""
    rng = np.random.Generator(np.random.Philox(seed))
    return rng.integers(0, size, count), rng.integers(0, 2, count) * 2.0 - 1


def _arrays(values: dict[str, Any], curves: dict[str, Curves]) -> dict[str, np.ndarray]:
    """What figures show: names of runs, epochs, and curves (run, measurement)."""
    epochs = max((found["steps"] for found in curves.values()), key=len) / values["unit"]
    both = {key: stacked(curves, key) for key in ("test_accuracy", "squared_norm")}
    return both | {
        "runs": np.array(list(curves)),
        "epochs": epochs,
        "final": np.array(list(accuracies(curves).values())),
    }
