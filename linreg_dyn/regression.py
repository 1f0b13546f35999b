"""The user's own regression data: read, checked, normalised by eq. (2), and the way back to the user's units.

Ginsburg's nets are trained on data normalised by eq. (2),

    sum x_i = 0,   mean(x_i^2) = 1,   sum y_i = 0,   mean(x_i y_i) = 1,

for which the least-squares slope is exactly 1 and the loss is `(W - 1)^2` plus a constant (eq. 4). `y` is scaled by
its covariance with `x`, not by its own spread, so a falling line has a negative `y_scale`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Normalization:
    """The affine maps of eq. (2): `(x - x_mean) / x_scale` and `(y - y_mean) / y_scale`.

    `residual` is `mean(y^2) - 1` in normalised units: the constant that eq. (4) leaves out, the smallest mean
    squared error that any line can reach there. All scales are in the user's units; only `y_scale` has a sign.
    """

    x_mean: float
    x_scale: float
    y_mean: float
    y_scale: float
    residual: float

    def apply(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """`x` and `y` in normalised units, shapes unchanged."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        return (x - self.x_mean) / self.x_scale, (y - self.y_mean) / self.y_scale

    def slope(self, end_to_end: ArrayLike) -> Array:
        """Slope in the user's units (y per x) of a net with this end-to-end weight; 1 is least squares."""
        return np.asarray(end_to_end, dtype=float) * (self.y_scale / self.x_scale)

    def intercept(self, end_to_end: ArrayLike) -> Array:
        """Intercept in the user's units of y; every such line passes through the mean of the data."""
        return self.y_mean - self.slope(end_to_end) * self.x_mean

    def predict(self, end_to_end: ArrayLike, x: ArrayLike) -> Array:
        """What the net answers at `x`, in the user's units; `end_to_end` and `x` broadcast."""
        return self.y_mean + self.slope(end_to_end) * (np.asarray(x, dtype=float) - self.x_mean)

    def mean_squared_error(self, loss: ArrayLike) -> Array:
        """`E = mean((prediction - y)^2)` of eq. (1), in the user's units of y squared, from `L` of eq. (4)."""
        return self.y_scale**2 * (np.asarray(loss, dtype=float) + self.residual)


def normalization(x: ArrayLike, y: ArrayLike, *, names: tuple[str, str] = ("x", "y")) -> Normalization:
    """The normalisation of eq. (2) for samples `x` and `y`, both of shape (sample,).

    Raises ValueError, naming the column, when there are fewer than two samples, a value is not finite, `x` is
    constant, or `x` and `y` are uncorrelated to within the rounding of float64: then no scale of `y` exists.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    x_name, y_name = names
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"{x_name} and {y_name} must have one shape (sample,), got {x.shape} and {y.shape}")
    if x.size < 2:
        raise ValueError(f"the data must have at least 2 rows, got {x.size}")
    x_mean, x_scale, x_rounding = _centre(x, x_name)
    y_mean, y_spread, y_rounding = _centre(y, y_name)
    if x_scale <= x_rounding:
        raise ValueError(
            f"{x_name} is constant ({x[0]:.6g} in all {x.size} rows): it must vary to have a slope"
        )
    if y_spread <= y_rounding:
        raise ValueError(
            f"{y_name} is constant ({y[0]:.6g} in all {x.size} rows): mean(x y) of eq. (2) is 0, must not be"
        )
    correlation = float(np.mean((x - x_mean) / x_scale * ((y - y_mean) / y_spread)))
    if abs(correlation) <= x_rounding / x_scale + y_rounding / y_spread:
        raise ValueError(
            f"{x_name} and {y_name} have zero correlation ({correlation:.1e}, within rounding): "
            "eq. (2) needs mean(x y) to be scaled to 1"
        )
    return Normalization(x_mean, x_scale, y_mean, y_spread * correlation, 1 / correlation**2 - 1)


def _centre(values: Array, name: str) -> tuple[float, float, float]:
    """Mean, root mean square about it, and how far rounding alone can move a centred value.

    numpy sums pairwise, so a mean of n values is off by at most about log2(n) ulps of the largest; centring adds an ulp.
    """
    if not np.all(np.isfinite(values)):
        raise ValueError(
            f"{name} must be finite, got {values[~np.isfinite(values)][0]} in row {_first_bad(values)}"
        )
    largest = float(np.max(np.abs(values)))
    if largest > 1e150:
        raise ValueError(
            f"{name} must stay below 1e150 in size so that squares fit in float64, got {largest:.3g}"
        )
    mean = float(np.mean(values))
    centred = values - mean
    width = float(np.max(np.abs(centred)))
    spread = width * math.sqrt(float(np.mean((centred / width) ** 2))) if width > 0 else 0.0
    return mean, spread, (math.log2(values.size) + 1) * float(np.spacing(largest))


def _first_bad(values: Array) -> int:
    return int(np.flatnonzero(~np.isfinite(values))[0]) + 1


def read_csv(path: str | Path, x: str, y: str) -> tuple[Array, Array]:
    """Columns `x` and `y` of a CSV file with a header line, each of shape (sample,), in file order.

    Fields may be separated by comma, semicolon or tab (the commonest of them in the header); empty lines are
    skipped. Raises OSError when the file cannot be read and ValueError, naming the line and the column, when a
    column is missing or a value is empty, text, or not finite.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            return _parse(stream, str(path), (x, y))
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file in UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from None


def _parse(stream: Iterator[str], path: str, wanted: tuple[str, str]) -> tuple[Array, Array]:
    header_line = next(stream, "")
    delimiter = max(",;\t", key=header_line.count)
    header = [name.strip() for name in next(csv.reader([header_line], delimiter=delimiter), [])]
    for name in wanted:
        if header.count(name) != 1:
            found = "twice" if name in header else "not"
            raise ValueError(
                f"column {name!r} is {found} in {path}; its columns are: {', '.join(header) or '(none)'}"
            )
    places = [header.index(name) for name in wanted]
    columns: tuple[list[float], list[float]] = ([], [])
    rows = csv.reader(stream, delimiter=delimiter)
    for row in rows:
        if not any(field.strip() for field in row):
            continue
        for column, name, place in zip(columns, wanted, places, strict=True):
            text = row[place].strip() if place < len(row) else ""
            column.append(_number(text, f"{path}, line {rows.line_num + 1}, column {name!r}"))
    return np.array(columns[0]), np.array(columns[1])


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(
            f"{where}: expected a number, got {repr(text) if text else 'an empty field'}"
        ) from None
    if not math.isfinite(value):
        raise ValueError(f"{where}: expected a finite number, got {text!r}")
    return value


def diabetes() -> tuple[Array, Array]:
    """Body mass index (kg/m^2) and disease progression after a year of scikit-learn's 442 diabetes patients."""
    from sklearn.datasets import load_diabetes  # slow to import, needed only without a file

    data = load_diabetes(scaled=False)
    return data.data[:, data.feature_names.index("bmi")], data.target.astype(float)
