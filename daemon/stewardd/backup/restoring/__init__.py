"""Putting a backup into a database: fetched, checked, decrypted, unpacked, and given to pg_restore.

The interface is one function, `restore.restore_into(source, target, pg_restore, options, report)`:

- `source` (options.RestoreSource) is the manifest, the store in which its objects lie, and the keys that read them;
- `target` is the database, which exists and which the caller has looked at (pin it as postgres/pinning.py says);
- `pg_restore` is the path of a program that reads the dump: `restore.restoring_tools(manifest, server_major, …)`
  chooses one that is older than neither the server nor the pg_dump that wrote it;
- `options` (options.RestoreOptions) choose schemas and tables, map owners, and say whether it stops at the first error;
- `report` is called with options.RestoreProgress.

It returns options.RestoreResult. Not a row is restored before every byte that the restore reads has been compared with
its checksum. The work is done by a process of its own (worker.py), which dies with the daemon, and pg_restore with it.
Who signed the backup is the caller's question: ask `Keyring.check_signer` first.
"""
