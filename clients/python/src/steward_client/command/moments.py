"""Times on the command line: an RFC 3339 timestamp, a day, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_AGO = re.compile(r"(?P<number>[0-9]{1,6})\s*(?P<unit>min|h|d|w)")
_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_of(text: str, now: datetime) -> datetime:
    """Returns the moment that a text means; without a zone it is UTC, as everything that the command prints.

    Raises ValueError.

    >>> now = datetime(2025, 11, 13, 10, tzinfo=UTC)
    >>> str(moment_of("7d", now)), str(moment_of("2025-11-01", now))
    ('2025-11-06 10:00:00+00:00', '2025-11-01 00:00:00+00:00')
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago["unit"]]: int(ago["number"])})
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text} is out of range") from None


class Moment(click.ParamType[datetime]):
    """An option's value that is a time."""

    name = "time"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Returns the moment, or refuses the command line."""
        if isinstance(value, datetime):
            return value
        try:
            return moment_of(value, datetime.now(UTC))
        except ValueError:
            self.fail(
                f"{value!r} is no time: give 2025-11-13, 2025-11-13T10:00:00Z, or how long ago: 90d, 12h, 30min, 2w",
                param,
                ctx,
            )
