"""The errors of the engine as errors of the daemon: one table for all that fastcsv and the disk can raise."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import fastcsv
from stewardd.errors import Failed, HeaderRefused, InputRefused, StorageFull
from stewardd.schemas.registry import header_facts

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def refusals() -> Iterator[None]:
    """Maps the errors of fastcsv. The reason of the engine, such as EMPTY_INPUT, is in the metadata under `cause`.

    Raises: HeaderRefused, InputRefused, StorageFull, Failed.
    """
    try:
        yield
    except fastcsv.HeaderError as error:
        facts = {"cause": error.reason, **header_facts(error)}
        raise HeaderRefused(str(error), hint=error.hint, metadata=facts) from error
    except fastcsv.InputError as error:
        raise InputRefused(str(error), hint=error.hint, metadata={"cause": error.reason}) from error
    except fastcsv.FastcsvError as error:
        raise Failed(f"the engine stopped: {error}") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull("no room to write the quarantine of a batch") from error
        raise Failed(f"the quarantine of a batch cannot be written: {error.strerror}") from error
