"""DatabaseService: the databases of a daemon, their pools, breakers and servers."""
