"""MigrationService: migrations over gRPC."""
