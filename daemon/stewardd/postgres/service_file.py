"""The way into the embedded database for people: a libpq service file.

`PGSERVICEFILE=<data folder>/pg_service.conf psql service=steward` works with every libpq program, and the password is
neither in argv nor in a shell's history.
"""

from __future__ import annotations

import os
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from stewardd.postgres.target import DatabaseTarget

SERVICE = "steward"


def write_service_file(path: Path, target: DatabaseTarget) -> None:
    """Writes the file, for its owner alone; one that is there is replaced."""
    parameters = conninfo_to_dict(target.conninfo)
    # An empty hostaddr keeps PGHOSTADDR out, which would lead past the socket.
    parameters["hostaddr"] = ""
    lines = [f"[{SERVICE}]", *(f"{name}={value}" for name, value in parameters.items())]
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    new.replace(path)
