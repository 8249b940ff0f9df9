"""What every connection of a pool is opened with."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict

from stewardd.errors import ConfigurationError
from stewardd.postgres.pool.options import PoolOptions
from stewardd.postgres.target import DatabaseTarget


def session(target: DatabaseTarget, options: PoolOptions) -> DatabaseTarget:
    """Returns the target with what the pool adds; what its URL says about patience goes before.

    Raises ConfigurationError for `options` of the URL, or a statement timeout, that a pooler would not take.
    """
    given = conninfo_to_dict(target.conninfo)
    target = target.with_patience().with_parameters(
        application_name=options.application_name, client_encoding="utf8"
    )
    if options.pooled:
        return _without_options(target, given, options)
    if options.statement_timeout_s is not None:
        milliseconds = str(round(options.statement_timeout_s * 1000))
        target = target.with_options({"statement_timeout": milliseconds})
    return target


def _without_options(
    target: DatabaseTarget, given: Mapping[str, object], options: PoolOptions
) -> DatabaseTarget:
    if given.get("options") or options.statement_timeout_s is not None:
        raise ConfigurationError(
            f"database {target.name!r} is reached through a pooler, which does not take `options` at start-up",
            hint="leave `options` out of its URL; set what they said for its user: ALTER ROLE … SET …",
        )
    return target.with_parameters(options="")  # empty, not absent: PGOPTIONS does not count then
