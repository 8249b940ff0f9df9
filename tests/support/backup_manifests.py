"""A manifest of a backup of each version, with something in every member."""

from __future__ import annotations

from datetime import UTC, datetime

from stewardd.backup.keys.signing import SigningKey
from stewardd.backup.manifest import backup as backups
from stewardd.backup.manifest import contents
from stewardd.backup.manifest.first_version import FirstBackupManifest

ID = "019aabcd-0000-7000-8000-000000000000"
WHEN = datetime(2026, 11, 27, 8, 0, 0, 123000, UTC)
SHA = "ab" * 32
SIGNING_KEY = SigningKey.generate()


def first_backup() -> FirstBackupManifest:
    return FirstBackupManifest(
        backup_id=ID,
        database="main",
        description="before the move",
        snapshot_time=WHEN,
        create_time=WHEN,
        elapsed_s=60.0,
        database_size_bytes=8_000_000,
        dump_size_bytes=5_000_000,
        dump_sha256=SHA,
        server_version="18.6",
        tool_version="18.6",
        segments=(backups.Segment("segment-000000", 700, SHA),),
        stored_size_bytes=700,
    )


def backup() -> backups.BackupManifest:
    return backups.BackupManifest(
        backup_id=ID,
        database="main",
        description="before the move",
        snapshot_time=WHEN,
        create_time=WHEN,
        elapsed_s=60.0,
        database_size_bytes=8_000_000,
        dump_size_bytes=5_000_000,
        dump_sha256=SHA,
        server_version="18.6",
        tool_version="18.6",
        form=backups.DumpForm.CUSTOM,
        compression=backups.USUAL_COMPRESSION,
        encryption=backups.Encryption.AGE,
        globals=backups.Globals.WITHOUT_PASSWORDS,
        segments=(backups.Segment("segment-000000", 700, SHA),),
        stored_size_bytes=700,
        signer=SIGNING_KEY.public_key,
        recipients=("age12hajskezxsc05l8n63ketaxmcyleejgkhj6rzux0w3w93tpq0g9q9fxs42",),
        selection=backups.Selection(("a",), ("b",), ("c",), ("d",)),
        proof=backups.ProofMode.HASH,
        schema_sha256=SHA,
        contents=backups.StoredContents(90, SHA, 3, 4, 1),
        source=backups.Source(
            "UTF8", "libc", "C", "C", "", False, 0, "1-2", (backups.Extension("citext", "1.6"),)
        ),
        timings=backups.Timings(1.0, 2.0, 0.5),
        globals_object=backups.StoredObject(90, SHA),
    )


def backup_contents() -> contents.BackupContents:
    """What such a backup holds."""
    return contents.BackupContents(
        form=backups.DumpForm.DIRECTORY,
        method="md5-64-sum",
        tables=(contents.BackupTable("public", "people", 3, "-12"),),
        sequences=(contents.SequenceContents("public", "people_id_seq", -3, True, -4, False),),
        large_objects=contents.LargeObjects(1, "7"),
        files=(contents.DumpFile("toc.dat", 7, SHA, (contents.Piece(0, 512, 7),)),),
        roles=("owner",),
        schema=contents.SchemaContents(18, {"table": {"public.people": {"kind": "r"}}}),
    )
