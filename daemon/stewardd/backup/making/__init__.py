"""Making a backup's data: a worker process that dumps, compresses, encrypts, checksums and stores."""
