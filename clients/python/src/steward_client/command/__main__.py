"""`python -m steward_client.command` is the command `steward`."""

import sys

from steward_client.command import main

sys.exit(main())
