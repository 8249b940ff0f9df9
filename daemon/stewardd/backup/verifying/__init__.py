"""Proving backups: each is restored into a scratch server and compared with what was recorded when it was made."""
