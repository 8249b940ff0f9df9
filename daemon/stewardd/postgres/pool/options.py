"""How large a pool is, how long its connections live, and how patient its callers are."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """The settings of one pool.

    `statement_timeout_s` None leaves the server's own. `pooled` says that a pooler (PgBouncer) stands before the
    server: nothing is sent as `options` at start-up, and no statement is prepared. A loan that lasts longer than
    `leak_after_s` is told; None tells of none.
    """

    min_size: int = 5
    max_size: int = 20
    max_waiting: int = 500
    acquire_timeout_s: float = 5.0
    idle_timeout_s: float = 30.0
    max_uses: int = 7500
    max_lifetime_s: float = 1800.0
    leak_after_s: float | None = 60.0
    statement_timeout_s: float | None = None
    pooled: bool = False
    application_name: str = "stewardd"

    def __post_init__(self) -> None:
        """Refuses sizes that contradict each other. Raises ConfigurationError."""
        if not 0 <= self.min_size <= self.max_size or self.max_size < 1:
            raise ConfigurationError(
                f"a pool cannot hold {self.min_size} to {self.max_size} connections",
                hint="the minimum is 0 or more, the maximum 1 or more and not below the minimum",
            )
