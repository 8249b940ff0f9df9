"""How the daemon and what it needs are: probed in the background, told at once."""
