"""Whether campaigns run in full: `make test-full` says so, and `make test` runs a seeded sample of each."""

import os

FULL = os.environ.get("STEWARD_TEST_CAMPAIGNS") == "full"
