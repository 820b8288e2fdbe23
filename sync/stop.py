"""The wish to stop: an event that waiting ends at, and an exception for the main thread.

A signal handler *asks*: the event is set, and `Interrupted` is raised where the main thread is,
so that not even a slow answer is waited for. A *shield* holds the exception back while something
is done that must not be left half done on the remote, such as opening a session.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync.errors import Interrupted


class Stop:
    """Asked for at most once; a second time ends everything at once.

    Attributes:
        event: set as soon as a stop was asked for.
        why: what asked for it.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.why = ""
        self._helpers: list[Callable[[], None]] = []
        self._shields = 0
        self._held_back: Interrupted | None = None

    def then(self, help_on: Callable[[], None]) -> None:
        """Call something when a stop is asked for, to end what does not look at the event.

        Args:
            help_on: is called from a signal handler, whatever shields there are.
        """
        self._helpers.append(help_on)

    def no_more(self, help_on: Callable[[], None]) -> None:
        """Forget what was to be called."""
        self._helpers.remove(help_on)

    def ask(self, why: str) -> None:
        """Ask for a stop, from a signal handler in the main thread.

        Raises:
            Interrupted: unless a shield holds it back.
            KeyboardInterrupt: a stop was asked for already.
        """
        if self.event.is_set():
            raise KeyboardInterrupt
        self.why = why
        self.event.set()
        for help_on in self._helpers:
            help_on()
        if self._shields:
            self._held_back = Interrupted(why)
        else:
            raise Interrupted(why)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Finish what is inside before a stop that comes meanwhile is raised."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        if self._shields == 0 and self._held_back:
            held_back, self._held_back = self._held_back, None
            raise held_back
