"""OperationService and google.longrunning.Operations: what outlasts a call."""
