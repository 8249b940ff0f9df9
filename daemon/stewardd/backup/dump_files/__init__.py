"""Restoring dumps that steward did not make: files of pg_dump below a configured root, read as they are.

Such a file has no manifest: no signature, no checksum, no count to compare with. What it holds is SQL that runs with
the rights of the daemon's user. So it is restored only where the request accepts that nobody has signed it, the result
says what was not proven, and no command of psql in it is ever run.
"""
