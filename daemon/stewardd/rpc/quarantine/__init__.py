"""QuarantineService: quarantined rows over gRPC."""
