"""The records of the checkout are of the specs that experiments have now: others answer what is no longer asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from validation import records
from validation.core import Measured
from validation.experiments import registry as experiments


def superseded(where: Path) -> list[str]:
    """The records that are of no current spec: what they say decided something that is no longer asked."""
    current = {one.spec(scale).name for one in experiments().values() for scale in one.scales}
    return sorted({path.stem for path in where.iterdir() if path.suffix in (".json", ".npz")} - current)


def test_the_records_of_the_checkout_are_of_current_specs() -> None:
    stale = superseded(records.FOLDER)
    assert stale == [], "of superseded specs: `git rm` both files of each, and run the experiment again"


def test_a_record_of_a_changed_spec_is_noticed(tmp_path: Path) -> None:
    one = experiments()["lewkowycz.t-star"]
    setting = one.scales["quick"]
    seeds = [Measured({p.metric: 0.0 for p in setting.predictions}) for _ in range(setting.seeds)]
    records.write(one.spec("quick"), seeds, seconds=1, device={"kind": "none"}, folder=tmp_path)
    assert superseded(tmp_path) == []
    first = setting.predictions[0]
    wider = replace(setting, predictions=(replace(first, high=first.high + 1), *setting.predictions[1:]))
    changed = replace(one, scales={**one.scales, "quick": wider})
    path = records.write(changed.spec("quick"), seeds, seconds=1, device={"kind": "none"}, folder=tmp_path)
    assert superseded(tmp_path) == [path.stem]
