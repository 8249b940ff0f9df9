"""JSON Pointers as fields: which a pattern stands for, and where personal data is."""

import pytest
from stewardd.quarantine.files.pointers import PersonalPointers, matches


@pytest.mark.parametrize(
    ("pattern", "pointer", "expected"),
    [
        ("/a", "/a", True),
        ("/a", "/b", False),
        ("/a", "/a/b", False),
        ("/a/*", "/a/0", True),
        ("/a/*", "/a/0/b", False),
        ("/a/*/b", "/a/17/b", True),
        ("/*/b", "/a~1x/b", True),
        ("_row", "_row", True),
        ("*", "rating", False),
        ("a*", "a*", True),
    ],
)
def test_a_star_stands_for_one_token(pattern, pointer, expected):
    assert matches(pattern, pointer) is expected


@pytest.mark.parametrize(
    ("pointer", "covers", "touches"),
    [
        ("/user/email", True, True),
        ("/user/email/0", True, True),
        ("/user", False, True),
        ("", False, True),
        ("_row", False, True),
        ("/user/id", False, False),
        ("/users/3/name", True, True),
        ("/users/3", False, True),
        ("/users/3/id", False, False),
    ],
)
def test_personal_data_is_found_at_within_and_around_a_pointer(pointer, covers, touches):
    personal = PersonalPointers({"/user/email", "/users/*/name"})
    assert personal.covers(pointer) is covers
    assert personal.touches(pointer) is touches


def test_a_schema_without_personal_data_masks_nothing():
    assert not PersonalPointers(()).touches("_row")
    assert not PersonalPointers(()).touches("")
