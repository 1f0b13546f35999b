"""The arrows of the design: who may import whom, read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "linreg_dyn"

# A part imports parts of lower layers, or of its own as long as no circle closes.
LAYERS = [
    {"arithmetic", "rules", "_checks", "_compiled", "provenance", "files", "noise", "schedules", "problem"},
    {"observables"},
    {"symbolic", "eigenvalues", "closed_form", "equilibria", "certify", "ensemble", "regression"},
    {"claims", "ntk", "phase", "sweep", "training"},
    {"report"},
    {"commands", "cli"},
]
# What validation may share with the theory; and what holds no mathematics.
WITNESS = {"problem", "schedules", "ntk"} | {"_checks", "files", "provenance"}


def files(folder):
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def part_of(path):
    """`linreg_dyn/ensemble/_cpu.py` belongs to "ensemble", `linreg_dyn/rules.py` to "rules"."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source, top_level_only=False):
    """Full names of the modules (or what is imported from them) that a source imports, lazily or not."""
    tree = ast.parse(source)
    names = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_imported(source):
    """Parts of linreg_dyn that a source imports; `linreg_dyn.simulate` and its like count as "linreg_dyn"."""
    parts = set()
    known = set().union(*LAYERS)
    for name in imported(source):
        first, _, rest = name.partition(".")
        if first == "linreg_dyn":
            part = rest.partition(".")[0]
            parts.add(part if part in known else "linreg_dyn")
    return parts


def layer(part):
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def violations(arrows):
    """Arrows {part: parts it imports} that point up, and circles within a layer."""
    up = [(a, b) for a, parts in arrows.items() for b in parts if layer(b) > layer(a)]
    rest = {a: {b for b in parts if b != a} for a, parts in arrows.items()}
    while free := [a for a in rest if not rest[a] & rest.keys()]:
        for a in free:
            del rest[a]
    return up + [("circle", a) for a in rest]


def arrows():
    found = {}
    for path in files(PACKAGE):
        if path != PACKAGE / "__init__.py":
            found.setdefault(part_of(path), set()).update(parts_imported(path.read_text()))
    return found


def test_every_part_has_a_layer_and_arrows_point_down():
    found = arrows()
    assert {"rules", "ensemble"} <= found.keys() <= set().union(*LAYERS)
    for part, parts in found.items():
        assert "linreg_dyn" not in parts, f"{part} imports the public API instead of the part it needs"
    assert violations(found) == []
    assert "rules" in found["ensemble"]


def test_the_check_sees_arrows_that_point_up_and_circles():
    assert parts_imported("from linreg_dyn import claims, simulate") == {"claims", "linreg_dyn"}
    assert parts_imported("def f():\n    import linreg_dyn.cli.x") == {"cli"}
    assert violations({"rules": {"ensemble"}, "ensemble": set()}) == [("rules", "ensemble")]
    assert violations({"eigenvalues": {"symbolic"}, "symbolic": {"eigenvalues"}}) == [
        ("circle", "eigenvalues"),
        ("circle", "symbolic"),
    ]
    assert violations({"observables": {"rules", "observables"}, "rules": set()}) == []


@pytest.mark.parametrize("name", ["arithmetic", "rules", "noise", "observables", "schedules/rates"])
def test_plain_arithmetic_imports_nothing_else(name):
    allowed = {"arithmetic", "rules"} - {name}
    assert parts_imported((PACKAGE / f"{name}.py").read_text()) <= allowed
    outside = {
        module for module in imported((PACKAGE / f"{name}.py").read_text()) if not module.startswith("linreg_dyn.")
    }
    assert outside <= {"__future__.annotations"}


def test_the_checker_of_certificates_stands_alone():
    names = {name.partition(".")[0] for name in imported((PACKAGE / "certify" / "checker.py").read_text())}
    assert names <= sys.stdlib_module_names


def test_validation_is_an_independent_witness():
    sources = files(ROOT / "validation")
    assert len(sources) > 10
    for path in sources:
        assert parts_imported(path.read_text()) <= WITNESS, path
    for path in files(PACKAGE):
        assert not any(name.partition(".")[0] == "validation" for name in imported(path.read_text())), path


def test_heavy_libraries_are_not_imported_at_the_top():
    for path in files(PACKAGE):
        tops = {name.partition(".")[0] for name in imported(path.read_text(), top_level_only=True)}
        assert not tops & {"torch", "dask", "distributed", "zarr", "matplotlib"}, path


def test_public_names_are_imported_when_used_and_not_before():
    """In a fresh interpreter: the package alone loads no numerics; each public name is there if asked."""
    code = (
        "import sys, linreg_dyn as ld\n"
        "heavy = {'numpy', 'numba', 'xarray', 'sympy', 'torch', 'dask', 'distributed', 'zarr', 'matplotlib'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "for name in ld.__all__: getattr(ld, name)\n"
        "assert callable(ld.spectrum) and callable(ld.flow) and callable(ld.audit)\n"
        "assert not {'torch', 'dask', 'distributed', 'zarr', 'matplotlib'} & sys.modules.keys()\n"
        "assert set(ld.__all__) == {'audit', *ld._PUBLIC} <= set(dir(ld))\n"
        "try: ld.nonsense\n"
        "except AttributeError as error: assert 'nonsense' in str(error)\n"
        "else: raise AssertionError\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
