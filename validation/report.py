"""The page of all records: every experiment as it stands, and what is still missing."""

from __future__ import annotations

import base64
import io
import math
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from linreg_dyn import provenance
from linreg_dyn.files import write_text
from validation import experiments, records
from validation.core import SCALES, VERDICTS, Experiment, Judgement, Prediction, Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEMPLATES = Path(__file__).parent / "templates"


def write(
    out: str | Path,
    folder: Path = records.FOLDER,
    every: Iterable[Experiment] | None = None,
    *,
    own: Path | None = None,
) -> Path:
    """Write `index.html`, whole or not at all, into the directory `out`; returns its path.

    Args:
        out: the directory.
        folder: where records are.
        every: the experiments (None: the papers').
        own: the file that they are from, which the commands on the page then name.
    """
    every = experiments.registry().values() if every is None else every
    found, wrong = records.read_all(folder)
    by_name = {Path(record["arrays"]["file"]).stem: record for record in found}
    rows = [row(experiment, by_name, folder) for experiment in every]
    judged = [one for e in rows for s in e["scales"] for one in s["judged"]]
    names = {s["name"] for e in rows for s in e["scales"]}
    page = _environment().get_template("report.html")
    path = Path(out) / "index.html"
    write_text(
        path,
        page.render(
            experiments=rows,
            scales=SCALES,
            counts=counts(one for one in judged if one["expected"]),
            unexpected=counts(one for one in judged if not one["expected"]),
            missing=sum(not s["record"] for e in rows for s in e["scales"]),
            recorded=sum(bool(s["record"]) for e in rows for s in e["scales"]),
            damaged=wrong,
            source=f" --from {shlex.quote(str(own))}" if own else "",
            others=sorted(set(by_name) - names),
            version=provenance.version("linreg-dyn"),
            commit=provenance.commit(),
        ),
    )
    return path


def row(experiment: Experiment, found: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    """What the page says of an experiment, for each of its scales."""
    scales = [_scale(experiment.spec(scale), found, folder) for scale in experiment.scales]
    return {"experiment": experiment, "paper": experiment.id.partition(".")[0], "scales": scales}


def _scale(spec: Spec, found: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    record = found.get(spec.name)
    judged = []
    if record:
        judged = [_judged(prediction, judgement) for prediction, judgement in records.judgements(record)]
    return {
        "name": spec.name,
        "scale": spec.scale,
        "setting": spec.setting,
        "time": duration(spec.minutes),
        "record": record,
        "judged": judged,
        "counts": counts(one for one in judged if one["expected"]),
        "unexpected": sum(not one["expected"] for one in judged),
        "predictions": [(p.says, region(p)) for p in spec.setting.predictions],
        "picture": picture(spec.experiment, records.arrays(record, folder)) if record else None,
    }


def counts(judged: Iterable[dict[str, Any]]) -> list[tuple[str, int]]:
    """How many predictions came to each verdict; those that none came to are left out."""
    found = [one["verdict"] for one in judged]
    return [(verdict, found.count(verdict)) for verdict in VERDICTS if verdict in found]


def _judged(prediction: Prediction, judgement: Judgement) -> dict[str, Any]:
    return {
        "says": prediction.says,
        "expected": prediction.expected,
        "exact": prediction.exact,
        "verdict": judgement.verdict,
        "measured": f"{number(judgement.estimate)} [{number(judgement.low)}, {number(judgement.high)}]",
        "region": region(prediction),
        "metric": prediction.metric,
        "strip": strip(prediction, judgement),
    }


def strip(prediction: Prediction, judgement: Judgement) -> dict[str, float] | None:
    """Where region, interval and estimate lie along a line of length 100 that shows all of them; None: not measured."""
    if not math.isfinite(judgement.estimate):
        return None
    ends = {
        "low": prediction.low,
        "high": prediction.high,
        "from": judgement.low,
        "to": judgement.high,
        "at": judgement.estimate,
    }
    seen = [x for x in ends.values() if math.isfinite(x)]
    margin = 0.2 * (max(seen) - min(seen)) or 1.0
    least, most = min(seen) - margin, max(seen) + margin
    return {name: round(100 * (min(max(x, least), most) - least) / (most - least), 2) for name, x in ends.items()}


def region(prediction: Prediction) -> str:
    """Where the metric is predicted to be, and where that says something, in words."""
    given = f" where {prediction.presupposes} is above 0" if prediction.presupposes else ""
    if math.isinf(prediction.low):
        return f"below {number(prediction.high)}{given}"
    if math.isinf(prediction.high):
        return f"above {number(prediction.low)}{given}"
    return f"{number(prediction.low)} to {number(prediction.high)}{given}"


def number(x: float) -> str:
    """Four digits; a dash where there is none."""
    if math.isnan(x):
        return "–"
    return ("−∞" if x < 0 else "∞") if math.isinf(x) else f"{x:.4g}"


def duration(minutes: float) -> str:
    """Minutes, hours or days, to two digits."""
    for unit, size in (("days", 1440), ("hours", 60)):
        if minutes >= 2 * size:
            return f"{float(f'{minutes / size:.2g}'):,g} {unit}"
    return f"{float(f'{minutes:.2g}'):g} minutes"


def picture(experiment: Experiment, arrays: list[dict[str, np.ndarray]]) -> str | None:
    """The figure of a record as a `data:` address; None where the experiment draws none."""
    if experiment.draw is None:
        return None
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    experiment.draw(arrays, axes)
    _beside(axes)
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _beside(axes: Axes) -> None:
    """The legend to the right of the axes, where it hides no curve."""
    if legend := axes.get_legend():
        legend.remove()
        axes.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)


def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
