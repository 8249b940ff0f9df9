"""SystemService: the health of the daemon and of its parts."""
