"""A retention that would keep nothing is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from stewardd.backup.retention.policy import RetentionPolicy


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_keep": 0},
        {"min_keep": -1},
        {"window": timedelta(days=-1)},
        {"grace": timedelta(days=-1)},
        {"daily": -1},
        {"yearly": -1},
    ],
    ids=str,
)
def test_a_policy_that_would_keep_nothing_is_no_policy(wrong) -> None:
    with pytest.raises(ValueError, match=r"retention|number"):
        RetentionPolicy(**wrong)
