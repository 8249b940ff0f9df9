"""The section `backup.tell`: who hears how backups end. Only the configuration says it, never a request."""

from __future__ import annotations

from stewardd.config.section import Section
from stewardd.config.values import Count, Seconds, Secret


class ReceiverSettings(Section):
    """Who hears of one kind of end: a webhook, a command, or both."""

    webhook_url: Secret | None = None
    """an http or https URL that gets a POST; that of a dead man's switch belongs to `success`"""

    webhook_secret: Secret | None = None
    """`whsec_` and base64: the POST is signed by it as Standard Webhooks says (webhook-signature, v1)"""

    command: tuple[str, ...] = ()
    """a program and its arguments; it reads the message, a JSON object, from its standard input"""


class TellSettings(Section):
    """Who hears how the backups of this daemon end. No backup waits for it."""

    success: ReceiverSettings = ReceiverSettings()
    failure: ReceiverSettings = ReceiverSettings()

    timeout_s: Seconds = 10.0
    """how long one attempt may take"""

    attempts: Count = 5
    """attempts for one message, with doubling pauses from 2 s on"""

    max_queued: Count = 100
    """messages that wait; more are dropped, and logged"""
