"""steward's contract, generated from the .proto files beside it."""
