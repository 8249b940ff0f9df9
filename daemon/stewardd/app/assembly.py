"""The daemon while it is put together: what each builder adds to, and what runs already."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from stewardd.app.metrics import DaemonMetrics
from stewardd.config.settings import Settings
from stewardd.health.monitor import Monitor
from stewardd.repository.backend.all import open_store
from stewardd.repository.backend.store import Store
from stewardd.rpc.server import Servicer
from stewardd.rpc.uploads import UploadTimeouts
from stewardd.scheduler.job import Job


@dataclass(frozen=True, slots=True)
class Assembly:
    """What all builders share.

    `running` holds what has been started, and stops it in reverse. A builder adds its probes to `monitor`, what it
    measures to `metrics`, its services to `servicers` and its jobs to `jobs`; health, scheduler and server, which are
    built last, take them from there.
    What must hear at once that the daemon begins to stop is added to `on_stop`.
    """

    settings: Settings
    running: AsyncExitStack
    monitor: Monitor = field(default_factory=Monitor)
    metrics: DaemonMetrics = field(default_factory=DaemonMetrics)
    servicers: list[Servicer] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    on_stop: list[Callable[[], None]] = field(default_factory=list)

    @property
    def scratch(self) -> Path:
        """The folder for batches in the making."""
        return self.settings.data_dir / "scratch"

    @property
    def store_options(self) -> dict[str, str]:
        """What the client of a bucket is told, its secrets in the clear."""
        options = self.settings.repository.options
        return {name: value.get_secret_value() for name, value in options.items()}

    def open_inbox(self, url: str) -> Store:
        """Opens a bucket that files are read from; people named them."""
        return open_store(url, self.store_options, foreign_names=True)

    @property
    def upload_timeouts(self) -> UploadTimeouts:
        """How long an upload of any service may take."""
        settings = self.settings.validation
        return UploadTimeouts(settings.idle_timeout_s, settings.max_upload_s)
