"""BackupService: backups over gRPC."""
