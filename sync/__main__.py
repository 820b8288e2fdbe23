"""`aisuru-sync`, and `python -m sync`.

Nothing but the standard library is loaded before Ctrl-C is taken: the rest takes a moment, in which
Python would answer with a traceback.
"""

import os
import signal


def main() -> None:
    """Run one command and exit with its code."""
    # There is nothing yet that could be left half done.
    signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    from sync.cli import main as run

    run()


if __name__ == "__main__":
    main()
