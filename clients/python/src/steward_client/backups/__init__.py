"""BackupService: backups of a database."""
