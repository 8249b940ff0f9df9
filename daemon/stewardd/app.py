"""The daemon, built by hand: every part in the order in which it starts, and in reverse when it stops.

    data folder → repository → lease → what the dead left → schemas → PostgreSQL → backups, operations → monitor → server

Nothing else in the daemon makes these objects or finds them by itself. A start that fails stops what had been started.
An external database that does not answer is no such failure: the daemon serves, and Health says so.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from stewardd import __version__
from stewardd.backup.backups import BackupOptions, Backups
from stewardd.backup.backups import Database as BackupDatabase
from stewardd.config import Settings
from stewardd.data_dir import DataDir
from stewardd.health import probes
from stewardd.health.monitor import Monitor, Probe
from stewardd.operations.backups import BackupStarter
from stewardd.operations.operations import Operations
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.claims import Claims
from stewardd.repository.lease import WriterLease
from stewardd.repository.store import Store, open_store
from stewardd.repository.sweep import sweep
from stewardd.rpc.backup import BackupServicer
from stewardd.rpc.health import HealthServicer
from stewardd.rpc.interceptor import Guard
from stewardd.rpc.operations import OperationServicer, OperationsServicer
from stewardd.rpc.quarantine import QuarantineServicer
from stewardd.rpc.server import SERVICES, Server
from stewardd.rpc.system import SystemServicer
from stewardd.rpc.validation import ValidationServicer
from stewardd.schemas.registry import Registry
from stewardd.telemetry import logger
from stewardd.validation.batches import Admission, Batches
from stewardd.validation.catalog import BatchCatalog
from stewardd.validation.draft import Bounds

log = logger("app")

EMBEDDED_NAME = "embedded"
SLOW_PROBE_INTERVAL_S = 10.0
SLOW_PROBE_TIMEOUT_S = 10.0
