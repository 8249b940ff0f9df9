"""Everything that speaks to PostgreSQL: the embedded server, the client tools, the pool, the probe.

The only package that imports psycopg. What it hands upwards are its own types and the errors of `stewardd.errors`.
"""
