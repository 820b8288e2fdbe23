"""The wish to stop: an event that waiting ends at, and an exception for the main thread.

A signal handler *asks*: the event is set, and `Interrupted` is raised where the main thread is,
so that not even a slow answer is waited for. A *shield* holds the exception back while something
is done that must not be left half done on the remote, such as opening a session.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sync.errors import Interrupted

_NUDGE = signal.SIGURG
"""Ends what the main thread waits in, and means nothing else."""
_NUDGES_S = (0.1, 1.0)


class Stop:
    """Asked for at most once; a second time ends everything at once.

    Attributes:
        event: set as soon as a stop was asked for.
        why: what asked for it.
        exit_code: what the process ends with for it.
    """

    def __init__(self) -> None:
        self.event: threading.Event = _Event()
        self.why = ""
        self.exit_code = Interrupted.exit_code
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

    def ask(self, number: int) -> None:
        """Ask for a stop, from a signal handler in the main thread.

        Args:
            number: of the signal.

        Raises:
            Interrupted: unless a shield holds it back.
            KeyboardInterrupt: a stop was asked for already.
        """
        if self.event.is_set():
            raise KeyboardInterrupt
        self.why = f"stopped by {signal.Signals(number).name}"
        self.exit_code = 128 + number
        self.event.set()
        for help_on in self._helpers:
            help_on()
        self.interrupt()

    def interrupt(self) -> None:
        """Raise what says that a stop was asked for, in the main thread.

        Raises:
            Interrupted: unless a shield holds it back.
        """
        if self._shields:
            self._held_back = Interrupted(self.why)
        else:
            raise Interrupted(self.why)

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


class _Event(threading.Event):
    """One that a signal handler may set, whatever it interrupts.

    The usual one has a lock which the main thread cannot take again, if the signal strikes it
    within `wait`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cond = threading.Condition(threading.RLock())


@contextmanager
def heard(stop: Stop) -> Iterator[None]:
    """See to it that each signal is handled soon, whatever the main thread does.

    One that strikes just before a wait begins does not end it, and Python would handle it only
    when the wait is over. One that strikes a destructor can raise nothing there: that is no error
    to be told, and it is raised again a little later. Only for the main thread.

    Args:
        stop: what the signals ask.
    """
    lost: list[BaseException] = []

    def struck(told: Any) -> None:
        if isinstance(told.exc_value, Interrupted):
            lost.append(told.exc_value)
        else:
            hook(told)

    def nudged(*_: object) -> None:
        # Whoever looked at the event is cleaning up by now.
        if lost and not isinstance(sys.exception(), Interrupted):
            stop.interrupt()
        lost.clear()

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    is_over = threading.Event()
    arguments = (reader, threading.get_ident(), is_over)
    thread = threading.Thread(target=_nudge, args=arguments, name="signals", daemon=True)
    handler = signal.signal(_NUDGE, nudged)
    hook, sys.unraisablehook = sys.unraisablehook, struck
    descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        sys.unraisablehook = hook
        is_over.set()
        os.close(writer)
        thread.join()
        signal.signal(_NUDGE, handler)
        os.close(reader)


def _nudge(reader: int, main: int, is_over: threading.Event) -> None:
    """Let no wait of the main thread outlast a signal by much."""
    while number := os.read(reader, 1):
        if number[0] == _NUDGE:
            continue
        for pause_s in _NUDGES_S:
            if not is_over.wait(pause_s):
                signal.pthread_kill(main, _NUDGE)
