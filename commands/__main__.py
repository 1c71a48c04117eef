"""`python -m commands`, or `python /path/to/commands`: the command `arena`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    # When run by path, Python puts this folder first, where `traces` and `votes` are commands, not the packages.
    sys.path[:] = [str(here.parent), *(entry for entry in sys.path if entry != str(here))]
    from commands.arena import main

    sys.exit(main())
