"""SystemService: the daemon about itself over gRPC."""
