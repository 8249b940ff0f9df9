"""The programs of the peers: those of this machine, or Debian's, unpacked under build/. Nothing is installed."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.places import BUILD

_TOOLS = BUILD / "debian"
_TIMEOUT_S = 300


class NotThere(Exception):
    """A program cannot be had; the message is the reason."""


def program(name: str, package: str | None = None) -> str:
    """Return the path of a program. Raises NotThere."""
    found = shutil.which(name)
    if found:
        return found
    unpacked = _TOOLS / (package or name)
    if not unpacked.exists():
        _unpack(package or name, unpacked)
    for folder in ("usr/bin", "bin"):
        if (unpacked / folder / name).exists():
            return str(unpacked / folder / name)
    raise NotThere(f"Debian's package {package or name} has no {name}")


def _unpack(package: str, folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotThere("it is not installed, and this is no Debian from which it could be had")
    folder.mkdir(parents=True)
    try:
        subprocess.run(
            ["apt-get", "-qq", "download", package],
            cwd=folder,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_S,
        )
        (archive,) = folder.glob("*.deb")
        subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True, timeout=_TIMEOUT_S)
    except (subprocess.SubprocessError, ValueError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise NotThere(f"Debian's package {package} cannot be downloaded here") from None
