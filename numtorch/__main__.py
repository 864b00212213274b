"""`python -m numtorch`."""

import sys

from .cli import main

if __name__ == "__main__":  # worker processes of `numtorch warm` import this file, too
    sys.exit(main())
