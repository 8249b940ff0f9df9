"""The processes that make and restore backups: how the daemon runs one, and what all of them share."""
