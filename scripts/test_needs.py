"""Installs what tests need beyond Python, Rust and make, where it can, and names what it could not.

Nothing is asked of the machine that a test does not use today: PostgreSQL comes with a Python package, so there is no
Debian package to install as yet. What is missing is said before the tests run, not found in a skip afterwards.
"""

from __future__ import annotations

import os
import shutil
import sys

# (command, what it is for)
WANTED = [
    ("setpriv", "running the daemon as another user"),
    ("mount", "a full disk on a small tmpfs"),
]


def main() -> int:
    """Says what is missing."""
    for command, purpose in WANTED:
        if shutil.which(command) is None:
            print(f"test needs: {command} is not there ({purpose}); those tests will be skipped")
    if os.geteuid() != 0:
        print("test needs: not root; tests of running as root and of a full disk will be skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
