"""Phase portraits and maps: what training does from every start of a plane of two layers, as labelled datasets."""

from linreg_dyn.phase.bands import Band, bands
from linreg_dyn.phase.field import field, mean_residual, mean_velocity
from linreg_dyn.phase.maps import critical_map, rate_map, start_map
from linreg_dyn.phase.plane import Plane
from linreg_dyn.phase.portrait import portrait
from linreg_dyn.phase.runs import OUTCOMES

__all__ = [
    "OUTCOMES",
    "Band",
    "Plane",
    "bands",
    "critical_map",
    "field",
    "mean_residual",
    "mean_velocity",
    "portrait",
    "rate_map",
    "start_map",
]
