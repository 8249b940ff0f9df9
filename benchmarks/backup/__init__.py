"""The making of backups beside its peers: `make bench-backup`."""
