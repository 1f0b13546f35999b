"""Records of trainings as evidence: what a claim about networks that were trained rests on.

A record is one JSON file of `python -m validation`, with the numbers of every seed and predictions that were written
before the run. Nothing in it is believed that can be computed: its digests, and the verdict of each prediction, which
is judged again here, by the rule of `validation/core.py` and none of its code.

Of each experiment the record of the largest scale counts. Two of one scale are of two specs, of which at most one is
the current one; which, only `validation` knows, so that nothing is decided until the other is removed. That the
checkout has none but records of current specs is a test. What was measured at scale "quick" (toy networks,
scikit-learn's digits) decides nothing but claims that are about any network. Effects that the prediction itself did
not expect at its size decide nothing either.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from linreg_dyn.claims.core import Claim, Control, Measurement, Source, Unmeasured
from linreg_dyn.files import canonical_json

VARIABLE = "LINREG_DYN_RECORDS"
FORMAT = "linreg-dyn record 1"
SCALES = ("quick", "gpu", "paper")
NAME = re.compile(rf"(?P<experiment>.+)-(?P<scale>{'|'.join(SCALES)})-(?P<spec>[0-9a-f]{{16}})\.json")
CONFIDENCE = 0.9  # two-sided: an equivalence test at 5 %


class Damaged(ValueError):
    """A record that is not as it was written."""


@dataclass(frozen=True)
class Finding:
    """A prediction of one record and its numbers, one a seed: the mean lies in (low, high) (`exact`: all do).

    It cannot tell anything unless the mean of what it presupposes, one number a seed (None: nothing), is above 0.
    """

    name: str
    low: float
    high: float
    exact: bool
    numbers: tuple[float, ...]
    experiment: str = ""
    presupposed: tuple[float, ...] | None = None

    def interval(self) -> tuple[float, float]:
        """The range of the numbers if exact, else Student's interval of their mean; infinite where there is none."""
        return _interval(self.numbers, self.exact)

    def agrees(self) -> bool | None:
        """Within the region: True; outside of it (exact: a number is outside): False; None: they cannot tell.

        The ends are neither: no effect at all is no evidence for one in either direction.
        """
        if self.presupposed is not None and not _interval(self.presupposed)[0] > 0:
            return None
        a, b = self.interval()
        if self.low < a and b < self.high:
            return True
        outside = b < self.low or self.high < a
        if self.exact and math.isfinite(a):
            outside = a < self.low or self.high < b
        return False if outside else None

    def opposites(self) -> tuple[Finding, ...]:
        """The same numbers, said to lie below the region, and above it."""
        below, above = replace(self, low=-math.inf, high=self.low), replace(self, low=self.high, high=math.inf)
        return tuple(other for other in (below, above) if not math.isinf(other.high) or not math.isinf(other.low))

    def moved(self) -> Finding:
        """Numbers that spread as these do and lie beyond the region, by as much as they spread and its own size."""
        x = np.array(self.numbers)
        end, sign = (self.high, 1) if math.isfinite(self.high) else (self.low, -1)
        a, b = self.interval()
        away = (b - a) + abs(end) + 1
        return replace(self, numbers=tuple(x - x.mean() + end + sign * away))


def _interval(numbers: Sequence[float], exact: bool = False) -> tuple[float, float]:
    x = np.array(numbers)
    if not len(x) or not np.isfinite(x).all() or (len(x) < 2 and not exact):
        return -math.inf, math.inf
    if exact:
        return float(x.min()), float(x.max())
    half = stdtrit(len(x) - 1, (1 + CONFIDENCE) / 2) * x.std(ddof=1) / math.sqrt(len(x))
    return float(x.mean() - half), float(x.mean() + half)


def folder() -> Path:
    """Where records are: the environment's, or those of the checkout. ValueError for one that is no folder."""
    chosen = os.environ.get(VARIABLE)
    if chosen and not Path(chosen).is_dir():
        raise ValueError(f"{VARIABLE} must name a folder of records, got {chosen!r}")
    return Path(chosen) if chosen else Path(__file__).parents[2] / "validation" / "records"


def read(path: Path) -> dict[str, Any]:
    """A record, after checking that it is as it was written. Raises `Damaged`, naming the file and what is wrong."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise Damaged(f"{path.name}: unknown format {record['format']!r}")
        if record["digest"] != _sha256({key: x for key, x in record.items() if key != "digest"}):
            raise Damaged(f"{path.name}: it was changed after it was written")
        spec = record["spec"]
        if path.name != f"{spec['experiment']}-{spec['scale']}-{_sha256(spec)[:16]}.json":
            raise Damaged(f"{path.name}: it is the record of another spec")
        recorded = [row["verdict"] for row in record["judgements"]]
        words = {True: "agrees", False: "disagrees", None: "inconclusive"}
        if recorded != [words[finding(record, row).agrees()] for row in spec["predictions"]]:
            raise Damaged(f"{path.name}: its verdicts do not follow from its numbers")
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, Damaged):
            raise
        raise Damaged(f"{path.name}: {type(error).__name__}: {error}") from None
    return record


def that_count(has: Callable[[str], bool]) -> dict[str, dict[str, Any]]:
    """By experiment, of those that are meant, the record of the largest scale there is.

    Raises `Unmeasured` where one is damaged, or two are of one scale.
    """
    names = [name for path in sorted(folder().glob("*.json")) if (name := NAME.fullmatch(path.name))]
    found: dict[str, dict[str, Any]] = {}
    for scale in SCALES:
        paths: dict[str, list[Path]] = {}
        for name in names:
            if name["scale"] == scale and has(name["experiment"]):
                paths.setdefault(name["experiment"], []).append(folder() / name.string)
        for experiment, alike in paths.items():
            try:
                found[experiment], *others = map(read, alike)
            except Damaged as error:
                raise Unmeasured(f"a record is damaged, {error}") from None
            if others:
                told = " and ".join(path.name for path in alike)
                raise Unmeasured(f"all but one of {told} are of superseded specs: remove those")
    return found


def arrays(record: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a record, by seed and name ("0.t"), after checking their digest. Raises `Damaged`."""
    path = folder() / record["arrays"]["file"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Damaged(f"{path.name}: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != record["arrays"]["sha256"]:
        raise Damaged(f"{path.name}: it was changed after it was written")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return dict(file)


def finding(record: dict[str, Any], prediction: dict[str, Any]) -> Finding:
    """A prediction of a record with the numbers that it is about."""

    def measured(metric: str) -> tuple[float, ...]:
        return tuple(math.nan if x is None else float(x) for x in record["metrics"][metric])

    numbers, needed = measured(prediction["metric"]), prediction.get("presupposes")
    low = -math.inf if prediction["low"] is None else float(prediction["low"])
    high = math.inf if prediction["high"] is None else float(prediction["high"])
    both = f"in ({low:g}, {high:g})"
    region = f"< {high:g}" if math.isinf(low) else f"> {low:g}" if math.isinf(high) else both
    spec = record["spec"]
    name = f"{spec['experiment']} ({spec['scale']}): {prediction['metric']} {region}"
    presupposed = None if needed is None else measured(needed)
    return Finding(name, low, high, bool(prediction["exact"]), numbers, spec["experiment"], presupposed)


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


# ---------------------------------------------------------------- what a claim rests on
@dataclass(frozen=True)
class Evidenced:
    """What a claim rests on: experiments and metrics, by patterns such as "golatkar.weight-decay-delayed*".

    A prediction that names a claim is about that one; any other by its metric. `of` is the number of experiments; a
    claim about all of them is decided by no fewer (`every`).
    """

    claim: str
    experiments: tuple[str, ...]
    metrics: tuple[str, ...]
    any_network: bool
    of: int
    every: bool

    def about(self, experiment: str, metric: str, claim: str | None) -> bool:
        """Is a prediction of an experiment, on this metric and made for this claim (if any), evidence here?"""
        by_name = (
            any(fnmatchcase(metric, pattern) for pattern in self.metrics) if claim is None else claim == self.claim
        )
        return by_name and self.has(experiment)

    def has(self, experiment: str) -> bool:
        """Is it one of the experiments?"""
        return any(fnmatchcase(experiment, pattern) for pattern in self.experiments)

    def records(self) -> list[dict[str, Any]]:
        """The record that counts of each experiment. Raises `Unmeasured` as `that_count`, and where there is none."""
        found = that_count(self.has)
        if not found:
            raise Unmeasured(f"no record ({VARIABLE} may name a folder that has one)")
        return list(found.values())

    def measure(self) -> list[Finding]:
        """What the predictions that are evidence found. Raises `Unmeasured` where there are none."""
        records = self.records()
        deciding = [record for record in records if self.any_network or record["spec"]["scale"] != SCALES[0]]
        if not deciding:
            seen = self.findings(records)
            told = tally(seen) if seen else "the effect is not expected"
            raise Unmeasured(f"{told} at scale quick, which alone decides nothing", intervals(seen))
        findings = self.findings(deciding)
        if not findings:
            raise Unmeasured("no prediction of the records is about it and expects to see it at their scale")
        if self.every and len({one.experiment for one in findings}) < self.of:
            raise Unmeasured(f"it is about all experiments, and there are {self.extent(findings)}", intervals(findings))
        return findings

    def extent(self, findings: Sequence[Finding]) -> str:
        """Of how many of the experiments there are findings, and what these are."""
        there = len({one.experiment for one in findings})
        return f"records of {there} of {self.of} experiments: {tally(findings)}"

    def findings(self, records: Sequence[dict[str, Any]]) -> list[Finding]:
        """The predictions that are evidence, with their numbers."""
        return [
            finding(record, row)
            for record in records
            for row in record["spec"]["predictions"]
            if row["expected"] and self.about(record["spec"]["experiment"], row["metric"], row["claim"])
        ]


def intervals(findings: Sequence[Finding]) -> dict[str, dict[str, str]]:
    """What each prediction was judged by."""
    ends = ("lower", "upper")
    return {one.name: dict(zip(ends, (f"{x:.6g}" for x in one.interval()), strict=True)) for one in findings}


VERBS = {
    False: ("disagrees", "disagree"),
    None: ("is inconclusive", "are inconclusive"),
    True: ("agrees", "agree"),
}


def tally(findings: Sequence[Finding]) -> str:
    """How many predictions came to what, in words, those that disagree first."""
    found = [one.agrees() for one in findings]
    counts = [(found.count(verdict), verbs) for verdict, verbs in VERBS.items()]
    return "of the predictions " + ", ".join(f"{n} {verbs[n > 1]}" for n, verbs in counts if n)


def agree(findings: Sequence[Finding]) -> bool | None:
    """True if every finding agrees, False if one disagrees, None if one of the others cannot tell."""
    verdicts = [one.agrees() for one in findings]
    return False if False in verdicts else None if None in verdicts else True


def _only_if_none(falsehood: Callable[[Finding], Sequence[Finding]]) -> Callable[[Any], bool | None]:
    """The judge of a control: False only if every finding contradicts its own falsehood."""

    def judge(findings: Sequence[Finding]) -> bool | None:
        verdicts = [other.agrees() for one in findings for other in falsehood(one)]
        return False if all(verdict is False for verdict in verdicts) else None

    return judge


# Where a finding agrees these follow from it: they can fail where the judging is wrong, or lets numbers pass that tell
# nothing, not where an experiment is. What can fail in an experiment are its predictions.
CONTROLS = (
    Control("the opposite of each prediction", _only_if_none(Finding.opposites)),
    Control("numbers beyond the region of each prediction", _only_if_none(lambda one: (one.moved(),))),
)


def empirical(
    id: str,
    title: str,
    statement: str,
    source: Source,
    experiments: str,
    metrics: str = "*",
    *,
    reading: str = "",
    any_network: bool = False,
    of: int | None = None,
    every: bool = False,
) -> Claim:
    """A claim whose evidence is in records; `experiments` and `metrics` are patterns with spaces between.

    `of` is how many experiments there are (default: as many as patterns); where the statement is about `every` one,
    fewer leave it undecided.
    """
    names = tuple(experiments.split())
    rests_on = Evidenced(id, names, tuple(metrics.split()), any_network, len(names) if of is None else of, every)
    scales = "any scale" if any_network else "scale gpu or paper"
    return Claim(
        id=id,
        title=title,
        statement=statement,
        source=source,
        kind="printed",
        depths=(),
        reading=reading,
        measurement=Measurement(
            plan=f"in the records of {', '.join(rests_on.experiments)}, {scales}: all predictions of "
            f"{', '.join(rests_on.metrics)}, with margins written before the runs, by 90 % intervals over seeds",
            size=lambda findings: sum(len(one.numbers) for one in findings),
            measure=rests_on.measure,
            agrees=agree,
            controls=CONTROLS,
            extent=rests_on.extent,
            values=intervals,
        ),
    )
