"""ValidationService: batches and schemas over gRPC."""
