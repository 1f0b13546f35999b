"""Theory-first symbolic and numerical simulator for the training dynamics of deep linear models.

Everything public is named here and imported when first used: `import linreg_dyn` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linreg_dyn import closed_form, equilibria, ntk, schedules, symbolic
    from linreg_dyn.claims.core import Evidence
    from linreg_dyn.claims.own import judge
    from linreg_dyn.eigenvalues import spectrum
    from linreg_dyn.ensemble.continuous import flow
    from linreg_dyn.ensemble.discrete import simulate
    from linreg_dyn.ensemble.events import Band, Event
    from linreg_dyn.ensemble.methods import (
        GradientDescent,
        MiniBatch,
        NoiseAugmentation,
        SGDNoise,
        Table,
        TruncatedGaussian,
    )
    from linreg_dyn.ensemble.record import Histogram, Quantiles, Record
    from linreg_dyn.problem import NormalizedData
    from linreg_dyn.regression import normalize

# name: (module that holds it, name in it; None is the module itself)
_PUBLIC: dict[str, tuple[str, str | None]] = {
    "Band": ("ensemble.events", "Band"),
    "Event": ("ensemble.events", "Event"),
    "GradientDescent": ("ensemble.methods", "GradientDescent"),
    "Histogram": ("ensemble.record", "Histogram"),
    "MiniBatch": ("ensemble.methods", "MiniBatch"),
    "NoiseAugmentation": ("ensemble.methods", "NoiseAugmentation"),
    "NormalizedData": ("problem", "NormalizedData"),
    "Quantiles": ("ensemble.record", "Quantiles"),
    "Record": ("ensemble.record", "Record"),
    "SGDNoise": ("ensemble.methods", "SGDNoise"),
    "Table": ("ensemble.methods", "Table"),
    "TruncatedGaussian": ("ensemble.methods", "TruncatedGaussian"),
    "closed_form": ("closed_form", None),
    "equilibria": ("equilibria", None),
    "flow": ("ensemble.continuous", "flow"),
    "judge": ("claims.own", "judge"),
    "normalize": ("regression", "normalize"),
    "ntk": ("ntk", None),
    "schedules": ("schedules", None),
    "simulate": ("ensemble.discrete", "simulate"),
    "spectrum": ("eigenvalues", "spectrum"),
    "symbolic": ("symbolic", None),
}

__all__ = [
    "Band",
    "Event",
    "GradientDescent",
    "Histogram",
    "MiniBatch",
    "NoiseAugmentation",
    "NormalizedData",
    "Quantiles",
    "Record",
    "SGDNoise",
    "Table",
    "TruncatedGaussian",
    "audit",
    "closed_form",
    "equilibria",
    "flow",
    "judge",
    "normalize",
    "ntk",
    "schedules",
    "simulate",
    "spectrum",
    "symbolic",
]


def audit(prefix: str = "", *, seed: int = 0) -> "list[Evidence]":
    """Evidence for every claim whose id begins with `prefix` (all of them without one), in order.

    Raises ValueError when there is none, naming the closest ids.
    """
    from linreg_dyn import claims

    return claims.audit(claims.select([prefix] if prefix else []), seed=seed)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    found = import_module(f"{__name__}.{module}")
    value = found if attribute is None else getattr(found, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
