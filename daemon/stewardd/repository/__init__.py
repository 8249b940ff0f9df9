"""The repository: everything that the daemon keeps, as immutable objects under one root, and no index beside them.

`backend/` stores objects in a folder or a bucket. On top of it stand the lease (who writes), the publication (how a
thing comes to exist), claims (one answer to one request), the log beside a published thing, and the sweep (what the
dead left). Nothing outside this package speaks object storage, and nothing in it knows gRPC.
"""
