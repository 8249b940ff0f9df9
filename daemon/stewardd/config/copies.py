"""The sections `backup.copies` and `backup.import_roots`: where backups are copied to, and where they come from."""

from __future__ import annotations

from stewardd.config.retention import RetentionSettings
from stewardd.config.section import Section
from stewardd.config.values import Location, Seconds, Secret


class CopiesSettings(Section):
    """The second repository. Backups never wait for it: what it lacks is copied when it is back."""

    url: Location = ""
    """where each backup is copied to: a folder, file:///…, s3://…, az://… or gs://…; empty: nowhere"""

    options: dict[str, Secret] = {}
    """options of a bucket's client, as in [repository]"""

    interval_s: Seconds = 300.0
    """how often the daemon looks for backups that have no copy yet, beside after each backup"""

    retention: RetentionSettings = RetentionSettings()


class ImportRootSettings(Section):
    """A place below which ImportBackup may read a manifest, and RestoreBackup a dump. Its name is for people."""

    url: Location
    """a folder, file:///…, s3://…, az://… or gs://…"""

    options: dict[str, Secret] = {}
    """options of the bucket's client, as in [repository]: its region, its endpoint, its credentials"""
