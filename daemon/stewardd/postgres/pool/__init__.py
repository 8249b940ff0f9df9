"""The connections to one database, shared by its callers; what each module does stands at its top."""

from stewardd.postgres.pool.options import PoolOptions
from stewardd.postgres.pool.pool import Pool
from stewardd.postgres.pool.stats import PoolStats, RetireReason

__all__ = ["Pool", "PoolOptions", "PoolStats", "RetireReason"]
