"""What migrations cost beside doing the same by hand, with psql and pg_dump."""
