"""google.longrunning.Operations and OperationService: operations of every kind over gRPC."""
