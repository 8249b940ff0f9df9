"""Telling how backups end: the receivers of the settings, and the listener on operations."""

from __future__ import annotations

from urllib.parse import urlsplit

from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.backup.telling.signature import read_secret
from stewardd.backup.telling.teller import Teller, TellOptions
from stewardd.backup.telling.waiting import Receiver, WaitingMessages
from stewardd.backup.telling.ways import Command, Way, Webhook
from stewardd.config.settings import Settings
from stewardd.config.tell import ReceiverSettings
from stewardd.errors import ConfigurationError
from stewardd.operations.operations import Operations


def check_telling(settings: Settings) -> None:
    """Refuses receivers that could not be told, before anything is made. Raises: ConfigurationError."""
    _ways("success", settings.backup.tell.success)
    _ways("failure", settings.backup.tell.failure)


def start_telling(assembly: Assembly, repository: Repository, operations: Operations) -> None:
    """Begins to tell, where somebody is to hear it."""
    tell = assembly.settings.backup.tell
    ways = {**_ways("success", tell.success), **_ways("failure", tell.failure)}
    options = TellOptions(tell.timeout_s, tell.attempts, max_queued=tell.max_queued)
    teller = Teller(
        ways,
        WaitingMessages(repository.store),
        repository.claims,
        options,
        assembly.metrics.add_telling(),
    )
    if ways:
        teller.start()
        assembly.running.push_async_callback(teller.stop)
        operations.on_end(teller.ended)


def _ways(name: str, receiver: ReceiverSettings) -> dict[Receiver, Way]:
    ways: dict[Receiver, Way] = {}
    key = f"backup.tell.{name}"
    if receiver.webhook_url is not None:
        url = receiver.webhook_url.get_secret_value()
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigurationError(f"{key}.webhook_url: it is no http or https URL")
        secret = receiver.webhook_secret
        try:
            signing_key = read_secret(secret.get_secret_value()) if secret else None
        except ValueError as error:
            raise ConfigurationError(f"{key}.webhook_secret: {error}") from None
        ways[Receiver(f"{name}-webhook")] = Webhook(url, signing_key)
    elif receiver.webhook_secret is not None:
        raise ConfigurationError(f"{key}.webhook_secret: there is no webhook_url beside it")
    if receiver.command:
        ways[Receiver(f"{name}-command")] = Command(receiver.command)
    return ways
