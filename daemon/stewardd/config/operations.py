"""The section `operations`: how many of them run at once."""

from __future__ import annotations

from stewardd.config.section import Section
from stewardd.config.values import Count


class OperationsSettings(Section):
    """What outlasts a call."""

    max_running: Count = 2
    """operations of one lane (backup, quarantine) that run at once; more wait for their turn"""
