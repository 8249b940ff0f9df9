"""The root of the settings: the data folder, and one line for each section."""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from stewardd.config.backup import BackupSettings
from stewardd.config.log import LogSettings
from stewardd.config.migrations import MigrationsSettings
from stewardd.config.operations import OperationsSettings
from stewardd.config.postgres import PostgresSettings
from stewardd.config.quarantine import QuarantineSettings
from stewardd.config.repository import RepositorySettings
from stewardd.config.server import ServerSettings
from stewardd.config.validation import ValidationSettings
from stewardd.config.values import Folder
from stewardd.config.web import WebSettings


class Settings(BaseSettings):
    """All settings of a daemon; `loading.load` makes them from their sources."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        case_sensitive=True,
    )

    data_dir: Folder
    """the daemon's own folder, for one daemon at a time; default: /var/lib/steward as root, else
    $XDG_STATE_HOME/steward or ~/.local/state/steward"""

    server: ServerSettings = ServerSettings()
    repository: RepositorySettings = RepositorySettings()
    postgres: PostgresSettings = PostgresSettings()
    validation: ValidationSettings = ValidationSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    backup: BackupSettings = BackupSettings()
    migrations: MigrationsSettings = MigrationsSettings()
    operations: OperationsSettings = OperationsSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()

    @property
    def repository_url(self) -> str:
        """The repository's URL, the default one filled in."""
        return self.repository.url or str(self.data_dir / "repository")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keeps the class by itself from reading the environment, as the library would have it."""
        return (init_settings,)
