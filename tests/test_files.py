"""Files and directories appear whole or not at all."""

import os
import re
from pathlib import Path

import pytest

from linreg_dyn.files import atomic_directory, atomic_file, canonical_json, write_text


def everything(directory):
    """All paths below a directory with the contents of files, to compare before and after."""
    return {p.relative_to(directory): p.read_bytes() if p.is_file() else None for p in directory.rglob("*")}


def write_half(atomic, error, name=""):
    """Begin to write, and fail."""
    with atomic as temporary:
        (temporary / name).write_text("half")
        raise error


def test_a_file_appears_only_when_its_block_ends(tmp_path):
    target = tmp_path / "new" / "deep" / "a.png"
    with atomic_file(target) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == target.parent
        assert temporary.suffix == ".png"
        assert not target.exists()
    assert everything(tmp_path / "new" / "deep") == {target.relative_to(target.parent): b"whole"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_file_that_was_there(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    before = everything(tmp_path)
    with pytest.raises(error):
        write_half(atomic_file(tmp_path / "a.txt"), error)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("atomic", [atomic_file, atomic_directory])
def test_a_failing_block_removes_the_parents_it_made_and_no_others(tmp_path, atomic):
    (tmp_path / "mine").mkdir()
    with pytest.raises(RuntimeError), atomic(tmp_path / "mine" / "b" / "c" / "d"):
        raise RuntimeError
    assert everything(tmp_path) == {(tmp_path / "mine").relative_to(tmp_path): None}


def test_permissions_are_those_of_an_ordinary_file(tmp_path):
    (tmp_path / "ordinary").touch()
    write_text(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_directory_is_replaced_whole(tmp_path):
    target = tmp_path / "out"
    for names in (["a.json", "b.json"], ["c.json"]):
        with atomic_directory(target, replace=["*.json"]) as temporary:
            for name in names:
                (temporary / name).write_text(name)
        assert sorted(os.listdir(target)) == names
    assert os.listdir(tmp_path) == ["out"]


def test_a_failing_block_leaves_the_directory_that_was_there(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.json").write_text("old")
    before = everything(tmp_path)
    with pytest.raises(RuntimeError):
        write_half(atomic_directory(tmp_path / "out", replace=["*.json"]), RuntimeError, "a.json")
    assert everything(tmp_path) == before


def test_a_directory_with_anything_else_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"thesis\.tex"), atomic_directory(tmp_path, replace=["*.json"]):
        raise AssertionError("the block must not run")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_what_is_put_there_meanwhile_is_not_removed(tmp_path):
    target = tmp_path / "out"

    def race():
        with atomic_directory(target):
            target.mkdir()
            (target / "late").touch()

    with pytest.raises(ValueError, match="late"):
        race()
    assert everything(tmp_path) == {
        target.relative_to(tmp_path): None,
        (target / "late").relative_to(tmp_path): b"",
    }


def test_a_failing_rename_puts_the_old_directory_back(tmp_path, monkeypatch):
    target = tmp_path / "out"
    target.mkdir()
    (target / "a.json").write_text("old")
    before, rename = everything(tmp_path), os.replace

    def fail_to_arrive(source, destination):
        if destination == target and not (source / "a.json").exists():
            raise OSError("disk gone")
        rename(source, destination)

    monkeypatch.setattr("os.replace", fail_to_arrive)
    with pytest.raises(OSError, match="disk gone"), atomic_directory(target, replace=["*.json"]) as temporary:
        (temporary / "b.json").write_text("new")
    assert everything(tmp_path) == before


@pytest.mark.parametrize("atomic", [atomic_file, atomic_directory])
def test_what_is_of_the_other_kind_is_refused(tmp_path, atomic):
    path = tmp_path / "x"
    path.mkdir() if atomic is atomic_file else path.touch()
    with pytest.raises(ValueError, match="x is not a"), atomic(path):
        raise AssertionError("the block must not run")


@pytest.mark.parametrize("atomic", [atomic_file, atomic_directory])
def test_a_place_where_nothing_can_be_written_is_named(tmp_path, atomic):
    (tmp_path / "file").touch()
    for path in (Path("/proc/x"), tmp_path / "file" / "x"):
        told = f"{path} cannot be written: {'Not a directory' if path.parent.is_file() else ''}"
        with pytest.raises(OSError, match=re.escape(told)), atomic(path):
            raise AssertionError("the block must not run")


def test_canonical_json_is_the_same_for_the_same_value():
    assert (
        canonical_json({"b": 1, "a": [1]}) == canonical_json({"a": [1], "b": 1}) == '{\n "a": [\n  1\n ],\n "b": 1\n}\n'
    )
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json(float("nan"))
