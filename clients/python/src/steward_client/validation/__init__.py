"""ValidationService: batches, the files that they left, and schemas."""
