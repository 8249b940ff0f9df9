"""docs/guides/retention.md, executed as it stands there: schedules, rules, a second repository, a change of keys."""

import json
import re
import time

import pytest

from tests.support.guides import Walk, command_lines

PAGE = "guides/retention.md"


@pytest.fixture(scope="module")
def walked(session_folder):
    walk = Walk(session_folder / "guide-retention")
    try:
        yield walk.through(PAGE)
    finally:
        walk.close()


def test_each_backup_has_its_verdict_in_each_repository(walked):
    first, second, applied = walked.output("steward backup prune")
    assert "it is younger than 7 days" in first
    assert "nothing to do" in applied
    assert re.search(r"repository +second", second)


def test_a_schedule_that_never_comes_is_refused_by_name(walked):
    never, lost = (
        next(each for each in walked.finished if each.line.startswith(f"steward schedule {name}"))
        for name in ("create never", "create lost")
    )
    assert "never comes" in never.stderr
    assert "no time zone" in lost.stderr
    (listed,) = walked.output("steward schedule list")
    assert {"nightly", "often"} <= set(re.findall(r"[a-z]+", listed))


def test_the_last_backup_and_a_pinned_one_are_not_deleted(walked):
    last, pinned, _ = (
        each for each in walked.finished if each.line.startswith("steward backup delete")
    )
    assert "LAST_BACKUP" in last.stderr
    assert "BACKUP_PINNED" in pinned.stderr


def test_after_the_change_of_keys_every_backup_is_encrypted_to_the_new_one(walked):
    before, outdated, done, after = walked.output("steward backup key rotate")
    assert "0 backups encrypted otherwise" in before
    assert "2 backups encrypted otherwise" in outdated
    assert "2 backups encrypted anew" in done
    assert "0 backups encrypted otherwise" in after
    recipient = re.search(r"age1\w+", walked.output("steward backup key generate")[0])
    assert recipient
    manifests = [
        json.loads(file.read_text())
        for file in walked.folder.glob("data/repository/backups/*/*/manifest.json")
    ]
    new = [each for each in manifests if each["recipients"] == [recipient[0]]]
    assert {each["replaces"] for each in new} == {
        each["backup_id"] for each in manifests if "replaces" not in each
    }
    assert len(new) == 2
    # They are copied as every backup is.
    deadline = time.monotonic() + 60
    names = {each["backup_id"] for each in new}
    while not names <= {
        file.parent.name for file in walked.folder.glob("copies/backups/*/*/manifest.json")
    }:
        assert time.monotonic() < deadline, "the new backups were not copied"
        time.sleep(0.05)


def test_every_command_of_the_page_was_run(walked):
    assert [each.line for each in walked.finished] == command_lines(PAGE)
