"""The section `repository`: where objects are kept, the writer's lease, and how often the sweep runs."""

from __future__ import annotations

from pydantic import model_validator

from stewardd.config.section import Section
from stewardd.config.values import Location, Seconds, Secret


class RepositorySettings(Section):
    """Where quarantine, backups, operations and idempotency records are kept."""

    url: Location = ""
    """a folder, file:///…, s3://…, az://… or gs://…; empty: `repository` in the data folder"""

    options: dict[str, Secret] = {}
    """options of the bucket's client: region, endpoint, …; credentials come from where the provider's own tools look"""

    lease_s: Seconds = 60.0
    """a daemon that has not renewed its lease for this long counts as dead"""

    heartbeat_s: Seconds = 15.0
    """how often the lease is renewed"""

    sweep_interval_s: Seconds = 300.0
    """how often the daemon removes what dead daemons left unfinished"""

    request_ids_kept_s: Seconds = 7 * 86_400.0
    """how long a request_id is remembered after its last use"""

    @model_validator(mode="after")
    def _renew_in_time(self) -> RepositorySettings:
        if self.heartbeat_s * 2 > self.lease_s:
            raise ValueError("heartbeat_s must be at most half of lease_s")
        return self
