"""The section `log`: how severe, and in which form."""

from __future__ import annotations

from typing import Literal

from stewardd.config.section import Section


class LogSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """the lowest severity that is logged"""

    format: Literal["auto", "human", "json"] = "auto"
    """auto: human on a terminal, JSON otherwise"""
