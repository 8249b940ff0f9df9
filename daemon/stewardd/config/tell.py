"""The section `backup.tell`: where the daemon reports how backups end. Only the configuration sets it, no request."""

from __future__ import annotations

from stewardd.config.section import Section
from stewardd.config.values import Count, Seconds, Secret


class ReceiverSettings(Section):
    """Where one kind of result is reported: to a webhook, to a command, or to both."""

    webhook_url: Secret | None = None
    """an http or https URL that gets a POST; the URL of a dead man's switch belongs under `success`"""

    webhook_secret: Secret | None = None
    """`whsec_` and base64: the POST is signed by it as Standard Webhooks says (webhook-signature, v1)"""

    command: tuple[str, ...] = ()
    """a program and its arguments; it reads the message, a JSON object, from its standard input"""


class TellSettings(Section):
    """Where the daemon reports how its backups end. No backup waits for a report."""

    success: ReceiverSettings = ReceiverSettings()
    failure: ReceiverSettings = ReceiverSettings()

    timeout_s: Seconds = 10.0
    """how long one attempt may take"""

    attempts: Count = 5
    """attempts for one message, with doubling pauses from 2 s on"""

    max_queued: Count = 100
    """messages that wait, here and in the repository; more are dropped, and logged"""
