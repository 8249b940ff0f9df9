"""The times that people write in options."""

from datetime import UTC, datetime

import pytest
from steward_client.command.moments import moment_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2w", "2025-10-30T10:00:00+00:00"),
        ("12h", "2025-11-12T22:00:00+00:00"),
        ("30min", "2025-11-13T09:30:00+00:00"),
        ("2025-11-01T10:00:00+02:00", "2025-11-01T08:00:00+00:00"),
        ("2025-11-01 10:00", "2025-11-01T10:00:00+00:00"),
    ],
)
def test_a_time_is_a_day_a_timestamp_or_how_long_ago(text, expected):
    now = datetime(2025, 11, 13, 10, tzinfo=UTC)
    assert moment_of(text, now).isoformat() == expected


@pytest.mark.parametrize("text", ["", "7", "d", "999999w", "-7d", "1.5d", "2025-13-01", "soon"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError):
        moment_of(text, datetime(2025, 11, 13, tzinfo=UTC))
