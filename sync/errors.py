"""Everything that can go wrong, as one tree; each error knows its exit code and a hint.

SyncError                      1  a bug, if nothing below fits
├── UsageError                 2  the call or the configuration is wrong
├── RemoteError                5  the remote cannot be reached, or answers what no one can use
│   ├── Unavailable            5  no answer, or only "later"
│   ├── BadAnswer              5  not the answer that the endpoint is documented to give
│   └── Refused                5  the remote said no, with a resultCode
│       ├── NotFound           5  the object is not there
│       ├── CredentialGone     5  the session or the login token has ended
│       └── AccessDenied      12  password, PIN or role are not accepted
│           └── AccountRefused 12  the account itself: it locks after a few tries, so all stops
├── DamageFound                4  `check` found damage
├── StorageError               8  the local disk or database failed
├── NoMirror                  10  there is no mirror that this version can use
├── Locked                    11  another process is at work on the same mirror
└── Interrupted              130  the user or the system asked to stop

Messages never hold a URL, a session ID, a token or a password: calls are named by their route
template.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar


class SyncError(Exception):
    """Base of all errors that are told to the user in a line or two.

    Attributes:
        exit_code: what the process ends with.
        hint: what the user can do about it, or "".
        also: exit codes of what had gone wrong before.
        facts: what JSON tells beside the message.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.also: tuple[int, ...] = ()
        self.facts: dict[str, object] = {}


class UsageError(SyncError):
    """The command line or the configuration asks for something that cannot be."""

    exit_code = 2


class RemoteError(SyncError):
    """The remote could not be used."""

    exit_code = 5


class Unavailable(RemoteError):
    """The remote did not answer, or only said to come back later.

    Attributes:
        carried_out: False if the call surely was not carried out, so that even a POST may be
            repeated.
        answered: False if nothing came, or nothing more in time.
        retry_after_s: how long the remote asked to wait, if it did.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        carried_out: bool = True,
        answered: bool = True,
    ) -> None:
        super().__init__(message, hint)
        self.carried_out = carried_out
        self.answered = answered
        self.retry_after_s: float | None = None


class BadAnswer(RemoteError):
    """The remote answered, but not what the endpoint is documented to give."""


class Refused(RemoteError):
    """The remote refused a call.

    Attributes:
        code: its `resultCode` (aisuru-api.md 2), or the HTTP status where there is none.
    """

    def __init__(self, message: str, hint: str = "", *, code: int) -> None:
        super().__init__(message, hint)
        self.code = code


class NotFound(Refused):
    """The object asked for is not there."""


class CredentialGone(Refused):
    """The session or login token that the call was made with has ended."""


class AccessDenied(Refused):
    """A password, PIN, token or role was not accepted."""

    exit_code = 12


class AccountRefused(AccessDenied):
    """The account's own credentials were not accepted; trying again may lock it."""


class DamageFound(SyncError):
    """The mirror does not agree with itself or with its files."""

    exit_code = 4


class StorageError(SyncError):
    """The local disk or the database failed."""

    exit_code = 8


class NoMirror(SyncError):
    """There is no mirror here, or none that this version can use."""

    exit_code = 10


class Locked(SyncError):
    """Another process is at work on the same mirror."""

    exit_code = 11


class Interrupted(SyncError):
    """A signal asked to stop."""

    exit_code = 130


@contextmanager
def failing_alone(note: Callable[[RemoteError], object]) -> Iterator[None]:
    """Note what goes wrong with the remote, and go on; but not with an account that is refused."""
    try:
        yield
    except AccountRefused:
        raise
    except RemoteError as error:
        note(error)


_PRECEDENCE = (143, 130, AccessDenied.exit_code, StorageError.exit_code, 6)
_MILD = (3, 0)


FOR_A_HUMAN = frozenset(
    {
        UsageError.exit_code,
        DamageFound.exit_code,
        6,  # the deletion guard, which is no error
        NoMirror.exit_code,
        AccessDenied.exit_code,
    }
)
"""Exit codes that trying again does not change: somebody must look at it."""


def worst(exit_codes: Iterable[int]) -> int:
    """The exit code to end with when several apply (design 9)."""
    found = set(exit_codes) or {0}
    for code in _PRECEDENCE:
        if code in found:
            return code
    return min(found.difference(_MILD), default=max(found))
