"""Tells others how backups ended: by a signed webhook or a command of the configuration, after the fact and bounded."""
