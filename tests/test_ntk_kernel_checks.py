"""What is taken for a kernel, what is repaired, and what is refused with which numbers."""

import numpy as np
import pytest
from scipy.linalg import cholesky
from scipy.sparse.linalg import aslinearoperator

from linreg_dyn.ntk import kernel_checks
from linreg_dyn.ntk.kernel_checks import KernelCheck, check_kernel, clipped


def gram(samples, features, seed=0):
    x = np.random.default_rng(seed).standard_normal((samples, features))
    return x @ x.T


def test_a_kernel_passes_untouched():
    kernel = gram(700, 900)  # more rows than one block
    kernel = (kernel + kernel.T) / 2
    check = check_kernel(kernel)
    assert check.matrix is kernel
    assert (check.asymmetry, check.duplicates) == (0, 0)
    assert check.norm == pytest.approx(np.linalg.norm(kernel), rel=1e-13)
    assert check.rtol == pytest.approx(np.sqrt(np.finfo(float).eps))


def test_singular_and_zero_kernels_are_kernels():
    assert check_kernel(gram(50, 3)).duplicates == 0
    check = check_kernel(np.zeros((3, 3)))
    assert (check.norm, check.duplicates) == (0, 2)
    assert check_kernel([[2]]).matrix.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_asymmetry_within_rounding_is_averaged_and_told(dtype):
    rng = np.random.default_rng(1)
    kernel = gram(600, 700).astype(dtype)
    eps = float(np.finfo(dtype).eps)
    kernel *= 1 + 8 * eps * rng.uniform(-1, 1, kernel.shape).astype(dtype)
    check = check_kernel(kernel)
    assert np.array_equal(check.matrix, check.matrix.T)
    exact = kernel.astype(float)
    assert np.allclose(check.matrix, (exact + exact.T) / 2, rtol=1e-15, atol=0)
    assert check.asymmetry == pytest.approx(np.abs(exact - exact.T).max() / np.abs(exact).max())
    assert 0 < check.asymmetry < 17 * eps
    assert check.matrix is not kernel


def test_asymmetry_beyond_rounding_is_refused_with_both_entries():
    kernel = gram(600, 700)
    kernel[550, 3] += 1e-3
    with pytest.raises(ValueError, match=r"symmetric, entries \((3, 550|550, 3)\) and .* of its largest entry apart"):
        check_kernel(kernel)
    check = check_kernel(kernel, rtol=1e-3 / np.abs(kernel).max() * 1.001)
    assert check.matrix[550, 3] == check.matrix[3, 550]


@pytest.mark.parametrize("size", [6, 530])
def test_duplicates_are_counted(size):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((size, 20))
    x[[3, size - 1]] = x[0]
    x[4] = x[1] * (1 + 1e-15)
    assert check_kernel(x @ x.T).duplicates == 3
    x[4] = -x[1]  # as far from it as can be
    assert check_kernel(x @ x.T).duplicates == 2


def indefinite(lowest, size=40, seed=3):
    """A matrix with positive 2x2 minors, one eigenvalue `lowest`, the others from 1 to 2."""
    rng = np.random.default_rng(seed)
    q = np.linalg.qr(rng.standard_normal((size, size)))[0]
    kernel = (q * np.r_[lowest, np.linspace(1, 2, size - 1)]) @ q.T
    return (kernel + kernel.T) / 2


def test_eigenvalues_negative_beyond_rounding_are_refused_with_the_lowest():
    with pytest.raises(ValueError, match=r"semi-definite, its lowest eigenvalue is -0\.125 "):
        check_kernel(indefinite(-0.125))
    assert check_kernel(indefinite(-0.125), definite=False).duplicates == 0  # no minor of two rows shows it
    norm = np.linalg.norm(indefinite(0))
    check_kernel(indefinite(-1e-9 * norm))
    with pytest.raises(ValueError, match="lowest eigenvalue is -"):
        check_kernel(indefinite(-2e-8 * norm))
    check_kernel(indefinite(-2e-8 * norm), rtol=1e-7)


@pytest.mark.parametrize("definite", [True, False])
def test_minors_are_refused_cheaply(definite):
    with pytest.raises(ValueError, match=r"entry \(1, 1\) of its diagonal is -1 "):
        check_kernel(np.diag([1.0, -1, 1]), definite=definite)
    with pytest.raises(ValueError, match=r"entry \(0, 2\) is 2, and the diagonal allows 1"):
        check_kernel([[1, 0, 2], [0, 1, 0], [2, 0, 1]], definite=definite)


def checked(trace=0.0, **changes):
    """Of a kernel of three samples, norm 2 and this trace."""
    found = {"rtol": 1e-8, "given_rtol": 0.0, "eps": 2.0**-52, "norm": 2.0, "asymmetry": 0.0, "duplicates": 0}
    return KernelCheck(np.diag([trace, 0, 0]), **(found | changes))


@pytest.mark.parametrize(
    ("lowest", "check", "floor"),
    [
        (0.0, checked(), 3 * 2.0**-52 * 2),
        (0.0, checked(3.0), 16 * 2.0**-52 * 3),
        (0.0, checked(3.0, eps=2.0**-23), 16 * 2.0**-23 * 3),
        (-1e-9, checked(3.0), 2e-9),
        (-1e-9, checked(3.0, given_rtol=1e-8), 2e-8),
    ],
)
def test_clipped(lowest, check, floor):
    values = np.array([2.0, 1.001 * floor, floor, 0, lowest])
    clean, found = clipped(values, check)
    assert np.array_equal(clean, [2, 1.001 * floor, 0, 0, 0])
    assert found == pytest.approx(floor, rel=1e-15)


def test_clipped_refuses_what_is_beyond_rounding():
    with pytest.raises(ValueError, match=r"lowest eigenvalue is -1e-09 .* rtol, or kernel_rtol in ntk.predict, change"):
        clipped(np.array([2.0, 0, -1e-9]), checked(rtol=1e-10))


@pytest.mark.parametrize(
    ("kernel", "kind", "words"),
    [
        ([[1, np.nan], [np.nan, 1]], ValueError, r"finite, entry \(0, 1\) is nan"),
        ([[1, 0], [0, np.inf]], ValueError, r"finite, entry \(1, 1\) is inf"),
        (np.ones((2, 3)), ValueError, r"square, .* got shape \(2, 3\)"),
        (np.ones(3), ValueError, r"square, .* got shape \(3,\)"),
        (np.ones((0, 0)), ValueError, "square"),
        (np.eye(2) * 1j, TypeError, "real numbers, got dtype complex"),
        ([["a"]], TypeError, "real numbers"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(kernel, kind, words):
    with pytest.raises(kind, match=words):
        check_kernel(kernel)


@pytest.mark.parametrize("rtol", [-1, np.nan, "x"])
def test_rtol_is_checked(rtol):
    with pytest.raises((ValueError, TypeError), match="rtol must be a finite number >= 0"):
        check_kernel(np.eye(2), rtol=rtol)


def test_operators_are_tried_for_symmetry():
    kernel = gram(30, 40)
    check = check_kernel(aslinearoperator(kernel))
    assert check.duplicates == -1
    assert check.asymmetry < 1e-15
    kernel[3, 4] += 1
    with pytest.raises(ValueError, match=r"symmetric, u\.Kv and v\.Ku"):
        check_kernel(aslinearoperator(kernel))
    with pytest.raises(ValueError, match="square"):
        check_kernel(aslinearoperator(np.ones((2, 3))))
    with pytest.raises(ValueError, match="finite"):
        check_kernel(aslinearoperator(np.full((2, 2), np.nan)))


def test_memory_is_refused_before_it_is_taken(monkeypatch):
    monkeypatch.setattr(kernel_checks, "available_memory", lambda: 1000.0)
    with pytest.raises(ValueError, match=r"100 samples.* would take .* GiB may be used; take fewer samples"):
        check_kernel(np.eye(100))
    assert check_kernel(np.eye(100), definite=False).duplicates == 0  # needs no copy


def test_the_factorisation_by_panels_is_the_whole_one(monkeypatch):
    a = np.random.default_rng(0).standard_normal((333, 400))
    a = a @ a.T
    largest = []

    def recorded(matrix, **options):
        largest.append(len(matrix))
        return cholesky(matrix, **options)

    monkeypatch.setattr(kernel_checks, "PANEL", 100)
    monkeypatch.setattr(kernel_checks, "cholesky", recorded)
    found = a.copy()
    kernel_checks._factorise(found)
    np.testing.assert_allclose(np.tril(found), np.linalg.cholesky(a), rtol=1e-10, atol=1e-12 * np.abs(a).max())
    assert largest == [100, 100, 100, 33]  # never so many rows that BLAS would crash
    # Indefinite by a little, wherever the panel: refused, and with as much more accepted.
    values, vectors = np.linalg.eigh(a)
    for sign, k in ((-1, 0), (-1, 332), (1, 0), (1, 332)):
        bent = a + (sign * 1e-3 - values[k]) * np.outer(vectors[:, k], vectors[:, k])
        if sign < 0:
            with pytest.raises(np.linalg.LinAlgError):
                kernel_checks._factorise(bent)
        else:
            kernel_checks._factorise(bent)
