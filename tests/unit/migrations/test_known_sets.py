"""A set that was read before is read again exactly when one of its files is another one."""

from __future__ import annotations

import os
import time

import pytest
from stewardd.errors import MigrationSetInvalid
from stewardd.migrations.known_sets import KnownSets

from tests.unit.migrations.test_files import add

LATER_NS = 3_000_000_000


def later() -> int:
    """A clock by which every file is old enough."""
    return time.time_ns() + LATER_NS


def test_a_set_is_read_again_when_a_file_is_edited_added_or_gone(tmp_path):
    add(tmp_path, "0001_a", "SELECT 1;")
    sets = KnownSets(later)
    first = sets.read(tmp_path)
    assert sets.read(tmp_path) is first
    (tmp_path / "README.md").write_text("not one of them")
    assert sets.read(tmp_path) is first
    add(tmp_path, "0001_a", "SELECT 2;")
    edited = sets.read(tmp_path)
    assert edited.numbered(1).sha256 != first.numbered(1).sha256
    add(tmp_path, "0002_b")
    assert len(sets.read(tmp_path)) == 2
    for path in tmp_path.glob("0002*"):
        path.unlink()
    assert sets.read(tmp_path) == edited
    (tmp_path / "0001_a.down.sql").unlink()
    with pytest.raises(MigrationSetInvalid, match=r"has no file 0001_a\.down\.sql"):
        sets.read(tmp_path)


def test_a_file_that_is_changed_and_made_to_look_the_same_is_read_again(tmp_path):
    add(tmp_path, "0001_a", "SELECT 1;")
    sets = KnownSets(later)
    first = sets.read(tmp_path)
    path = tmp_path / "0001_a.up.sql"
    before = path.stat()
    path.write_text("SELECT 2;")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sets.read(tmp_path).numbered(1).sha256 != first.numbered(1).sha256


def test_a_set_with_a_file_of_this_moment_is_not_remembered(tmp_path):
    add(tmp_path, "0001_a")
    sets = KnownSets()
    assert sets.read(tmp_path) is not sets.read(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MigrationSetInvalid, match="cannot be read: No such file"):
        KnownSets().read(tmp_path / "nowhere")
