"""The repository: everything that the daemon keeps, as immutable objects under one root, and no index beside them.

`store.py` is what a backend promises, `local.py` and `remote.py` are the backends. On top of a store stand the lease
(who writes), the publication (how a thing comes to exist), claims (one answer to one request) and the sweep (what the
dead left). Nothing outside this package speaks object storage, and nothing in it knows gRPC.
"""
