"""The object stores of three clouds as real servers on loopback: moto for S3, Azurite, fake-gcs-server."""
