"""What may be shown: texts without the secrets learnt at run time, and without control characters.

Session IDs and tokens stand in URL paths, and the remote repeats them in its messages. Whoever
learns one tells the `Redactor`; whatever is printed, logged or raised passes through it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

_SHORTEST = 4
STARS = "****"
"""What stands for a secret."""


class Redactor:
    """Knows the secrets of this process and blots them out."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def learn(self, secret: str | None) -> None:
        """Remember a secret, also as it looks in a URL; too short ones would garble every text."""
        if not secret or len(secret) < _SHORTEST or secret in self._secrets:
            return
        known = {*self._secrets, secret, quote(secret, safe="")}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    @contextmanager
    def for_now(self) -> Iterator[None]:
        """Forget at the end what was learnt meanwhile: sessions end, and a service goes on."""
        before = self._secrets
        try:
            yield
        finally:
            self._secrets = before

    def __call__(self, text: str) -> str:
        """The text with each known secret replaced by stars."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, STARS)
        return text


def printable(text: str) -> str:
    """A text as a terminal may show it: no control character gets through but line breaks."""
    return "".join(each if each in "\n\t" or each.isprintable() else "\ufffd" for each in text)
