"""What migrations do in a database: a session that holds the lock, statements under a bound, and the record of it."""
