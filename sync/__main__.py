"""`python -m sync` is `aisuru-sync`."""

from sync.cli import main

main()
