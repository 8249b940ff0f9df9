"""DatabaseService: the target databases over gRPC."""
