"""Errors of the settings, and of what the daemon finds when it starts."""

from __future__ import annotations

from stewardd.errors.kinds import StewardError


class ConfigurationError(StewardError):
    """The daemon cannot start like this."""

    reason = "CONFIGURATION"
    hint = "see docs/configuration.md"
