"""`python -m openhcs.verify`: the checker without the rest of the package."""

from __future__ import annotations

import sys

from openhcs.verify.command import main

if __name__ == "__main__":
    sys.exit(main(program="python -m openhcs.verify"))
