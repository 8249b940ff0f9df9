"""The major versions of PostgreSQL that tests run on: the wheel's, and the oldest one where Debian's package is."""

from __future__ import annotations

from pathlib import Path

import pytest

OLDEST = 15
NEWEST = 18
OLDEST_PROGRAMS = Path(f"/usr/lib/postgresql/{OLDEST}/bin")

needs_oldest = pytest.mark.skipif(
    not (OLDEST_PROGRAMS / "initdb").exists(), reason=f"PostgreSQL {OLDEST} is not installed"
)
both_majors = pytest.mark.parametrize(
    "major", [pytest.param(OLDEST, marks=needs_oldest), NEWEST], scope="module"
)
