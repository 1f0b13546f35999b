"""The user's own regression data: read, checked, normalised by eq. (2), and the way back to the user's units.

Ginsburg's nets are trained on data normalised by eq. (2),

    sum x_i = 0,   mean(x_i^2) = 1,   sum y_i = 0,   mean(x_i y_i) = 1,

for which the least-squares slope is exactly 1 and the loss is `(W - 1)^2` plus a constant (eq. 4). `y` is
scaled by its covariance with `x`, not by its own spread, so a falling line has a negative `y_scale`.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linreg_dyn._checks import choice
from linreg_dyn.problem import NormalizedData, as_floats, as_reals

Array = NDArray[np.float64]
LARGEST = 1e150
"""Larger values have no square in float64."""
MISSING = ("", "na", "n/a", "nan", "null")
"""What stands for no value in a CSV file, in small letters."""


@dataclass(frozen=True, eq=False)
class Regression:
    """Samples in the user's units, the same normalised, and the maps `(x - x_mean) / x_scale`, same for y.

    `x` and `y` have shape (sample,). `data` is what the net trains on. `residual` is `mean((y - x)^2)` in
    normalised units, where it is `mean(y^2) - 1` too: the constant that eq. (4) leaves out, the smallest mean
    squared error that any line can reach there, 0 or a few ulps squared if all samples lie on one. All other
    fields are in the user's units. An end-to-end weight of 1 is the least-squares line.
    """

    x: Array = field(repr=False)
    y: Array = field(repr=False)
    data: NormalizedData
    x_mean: float
    x_scale: float
    y_mean: float
    y_scale: float
    residual: float

    def slope(self, end_to_end: ArrayLike) -> Array:
        """Slope, in y per x, of a net with this end-to-end weight."""
        return as_reals("end_to_end", end_to_end) * (self.y_scale / self.x_scale)

    def intercept(self, end_to_end: ArrayLike) -> Array:
        """What the net answers at `x = 0`; every such line passes through the mean of the data."""
        return self.predict(end_to_end, 0.0)

    def predict(self, end_to_end: ArrayLike, x: ArrayLike) -> Array:
        """What the net answers at `x` (user's units); `end_to_end` and `x` broadcast."""
        return self.y_mean + self.slope(end_to_end) * (as_reals("x", x) - self.x_mean)

    def mean_squared_error(self, loss: ArrayLike) -> Array:
        """`E = mean((prediction - y)^2)` of eq. (1) in squared units of y, from `L` of eq. (4)."""
        return self.y_scale**2 * (as_reals("loss", loss) + self.residual)


def normalize(x: ArrayLike, y: ArrayLike, *, names: tuple[str, str] = ("x", "y")) -> Regression:
    """Samples `x` and `y`, each of shape (sample,), normalised by eq. (2); `names` are for the messages.

    Raises TypeError or ValueError, naming the column, when there are fewer than two samples, a value is not a
    finite number below 1e150 in size, `x` is constant, or `x` and `y` are uncorrelated, all to within the
    rounding of float64: then no scale of `y` exists.
    """
    x_name, y_name = names
    x, y = as_floats(x_name, x), as_floats(y_name, y)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"{x_name} and {y_name} must have one shape (sample,), got {x.shape} and {y.shape}")
    if x.size < 2:
        raise ValueError(f"the data must have at least 2 rows, got {x.size}")
    x_mean, x_scale, x_unit, x_rounding = _standardize(x, x_name)
    y_mean, y_spread, y_unit, y_rounding = _standardize(y, y_name)
    correlation = float(np.mean(x_unit * y_unit))
    if abs(correlation) <= x_rounding + y_rounding:
        raise ValueError(
            f"{x_name} and {y_name} have zero correlation ({correlation:.1e}, within rounding): eq. (2) "
            "scales y so that mean(x y) = 1, which must not be 0"
        )
    data = NormalizedData(x_unit, y_unit / correlation)
    residual = float(np.mean((data.y - data.x) ** 2))  # mean(y^2) - 1 would cancel, and be negative now and then
    return Regression(x, y, data, x_mean, x_scale, y_mean, y_spread * correlation, residual)


def _standardize(values: Array, name: str) -> tuple[float, float, Array, float]:
    """Mean, root mean square about it, `(values - mean) / rms`, and how far rounding can have moved these.

    Centred twice: the second mean catches what the first one lost where the mean is large against the spread.
    numpy sums pairwise, so a mean of n values is off by at most about log2(n) ulps of the largest; the values
    themselves, read as decimals, are off by one more.
    """
    largest = float(np.max(np.abs(values)))
    if largest > LARGEST:
        raise ValueError(f"{name} must be at most {LARGEST:g} in size, got {largest:.3g}")
    mean = float(np.mean(values))
    centred = values - mean
    centred -= np.mean(centred)
    width = float(np.max(np.abs(centred)))
    rms = width * math.sqrt(float(np.mean((centred / width) ** 2))) if width > 0 else 0.0
    rounding = (math.log2(values.size) + 1) * float(np.spacing(largest))
    if rms <= rounding:
        rows = f"all {values.size} rows (to within rounding)"
        raise ValueError(f"{name} must vary, got {values[0]:.6g} in {rows}")
    return mean, rms, centred / rms, rounding / rms


def read_csv(path: str | Path, x: str, y: str, *, decimal: str = ".", missing: bool = False) -> tuple[Array, Array]:
    """Columns `x` and `y` of a CSV file with a header line, each of shape (sample,), in file order.

    Fields may be separated by comma, semicolon or tab (the commonest of them in the header); empty lines
    are skipped; a file that ends in .gz is decompressed. `decimal` is the mark of decimals, "." or ","; with "," no
    comma separates. With `missing`, a field that is empty, NA, NaN or null is NaN. Raises OSError when the file cannot
    be read and ValueError, naming the line and the column, when a column is missing or a value is empty, text, or not
    finite.
    """
    choice("decimal", decimal, (".", ","))
    unpacked = gzip.open if str(path).endswith(".gz") else open
    try:
        with unpacked(path, "rt", newline="", encoding="utf-8-sig") as stream:
            return _parse(stream, str(path), (x, y), decimal, missing)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path} cannot be decompressed: {error}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file in UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from None


def _parse(
    stream: Iterator[str], path: str, wanted: tuple[str, str], decimal: str, missing: bool
) -> tuple[Array, Array]:
    header_line = next(stream, "")
    delimiter = max(",;\t".replace(decimal, ""), key=header_line.count)
    header = [name.strip() for name in next(csv.reader([header_line], delimiter=delimiter), [])]
    for name in wanted:
        if header.count(name) != 1:
            found = "twice" if name in header else "not"
            raise ValueError(f"column {name!r} is {found} in {path}; its columns are: {', '.join(header) or '(none)'}")
    places = [header.index(name) for name in wanted]
    columns: tuple[list[float], list[float]] = ([], [])
    rows = csv.reader(stream, delimiter=delimiter)
    for row in rows:
        if not any(field.strip() for field in row):
            continue
        for column, name, place in zip(columns, wanted, places, strict=True):
            text = row[place].strip() if place < len(row) else ""
            where = f"{path}, line {rows.line_num + 1}, column {name!r}"
            column.append(math.nan if missing and text.lower() in MISSING else _number(text, where, decimal))
    return np.array(columns[0]), np.array(columns[1])


def _number(text: str, where: str, decimal: str) -> float:
    try:  # with a decimal comma a point is no number's: it may part thousands
        value = float(text if decimal == "." else text.translate({ord(","): ".", ord("."): ","}))
    except ValueError:
        raise ValueError(f"{where}: expected a number, got {repr(text) if text else 'an empty field'}") from None
    if not math.isfinite(value):
        raise ValueError(f"{where}: expected a finite number, got {text!r}")
    return value


def diabetes() -> tuple[Array, Array]:
    """Body mass index (kg/m^2) and disease progression after a year: scikit-learn's 442 diabetes patients."""
    from sklearn.datasets import load_diabetes  # slow to import, needed only without a file

    data: Any = load_diabetes(scaled=False)
    return data.data[:, data.feature_names.index("bmi")], data.target.astype(float)
