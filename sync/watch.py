"""Telling of progress on long work."""

from collections.abc import Callable

Watch = Callable[[str, str, int, int | None], None]
"""Told of what is worked on, what is done with it, how many so far, and of how many."""
