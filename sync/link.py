"""What a URL in a document means: a file of ours to fetch, or somebody else's link. Pure.

Asset URLs occur on any host, in any letter case, alone or inside a text, with dirt around them
(aisuru-api.md 8.4, 9.2 and 9.4).
"""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sync.document import Document, canonical
from sync.errors import UsageError

_ASSET_PATH = re.compile(r"/api/v\d+/asset/(?P<file>[^/]+)(/[^/]*)?/*", re.IGNORECASE)
_ASSET_IN_TEXT = re.compile(
    r"""(?:https?://[^/\s"'<>\\]+)?/api/v\d+/asset/(?P<file>[\w@-]+(?:\.[\w@-]+)*)(?P<mark>/~[0-9a-f]{16})?""",
    re.IGNORECASE,
)
_FORMATS = "favicon|16x16|32x32|180x180|192x192|300x300|512x512"
_RESIZED = re.compile(rf"@(?:{_FORMATS})(?=\.[^.]*$)", re.IGNORECASE)
_SESSION_QUERY = re.compile(r"(?:^|&)memori-ai-session-id=[^&]*")
_LONGEST_KEY = 500


@dataclass(frozen=True)
class FileRef:
    """A file that a document refers to.

    Attributes:
        key: what identifies it, whatever the form of its URL: `asset/<file>` for assets.
        url: where it is; "" for assets, which the Backend gives by file name.
    """

    key: str
    url: str

    @property
    def asset_file(self) -> str:
        """The file name of an asset, "" for other files."""
        return self.key.removeprefix("asset/") if not self.url else ""


def file_ref(url: str, origins: Container[str]) -> FileRef | None:
    """Tell what a URL means; None for links that are not ours to fetch.

    Args:
        url: as a document holds it, dirt included: blanks around it, a fragment, a query, a
            trailing slash, a session ID or a resize suffix (aisuru-api.md 8.4 and 9.2).
        origins: scheme, host and port of where files may be fetched from.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    asset = _ASSET_PATH.fullmatch(parts.path)
    if asset and parts.scheme in ("http", "https", ""):
        key, where = "asset/" + _RESIZED.sub("", unquote(asset["file"])), ""
        is_usable = key.rpartition("/")[0] == "asset" and key not in ("asset/.", "asset/..")
    else:
        origin = f"{parts.scheme}://{parts.netloc}".lower()
        key = origin + parts.path.rstrip("/")
        query = _SESSION_QUERY.sub("", parts.query)
        where = f"{key}?{query}" if query else key
        is_usable = origin in origins and bool(parts.path.strip("/"))
    if not is_usable or not key.isprintable() or len(key) > _LONGEST_KEY:
        return None
    return FileRef(key, where)


def file_refs(
    document: Document, url_fields: Iterable[str], origins: Container[str]
) -> set[FileRef]:
    """All files that a document refers to: its URL fields, and asset URLs inside any text."""
    urls = [document[name] for name in url_fields if isinstance(document.get(name), str)]
    whole = canonical(document)
    if "/asset/" in whole.lower():
        urls += [found[0] for found in _ASSET_IN_TEXT.finditer(whole)]
    return {ref for url in urls if (ref := file_ref(url, origins))}


def move_assets(text: str, urls: Mapping[str, str]) -> str:
    """Rewrite the asset URLs inside a text.

    Args:
        text: any text of a document, or a URL alone.
        urls: {key of the file: URL it has now}; other URLs stay, but lose a session's mark.
    """

    def move(found: re.Match[str]) -> str:
        size = _RESIZED.search(found["file"])
        now = urls.get("asset/" + _RESIZED.sub("", found["file"]))
        if now is None:
            return found[0].removesuffix(found["mark"] or "")
        stem, dot, extension = now.rpartition(".")
        return f"{stem}{size[0]}{dot}{extension}" if size else now

    return _ASSET_IN_TEXT.sub(move, text) if "/" in text else text


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, as users paste either form.

    Raises:
        UsageError: no http(s) URL, plain http to another machine, or a login inside.
    """
    try:
        parts = urlsplit(url)
        host, scheme, _ = parts.hostname, parts.scheme, parts.port
    except ValueError:
        host, scheme = None, ""
    # What stands before an @ may be a password.
    shown = url.rpartition("@")[2]
    if scheme not in ("http", "https") or not host:
        raise UsageError(f"{shown!r} is not the URL of a service", "write https://HOST")
    if scheme == "http" and not is_loopback(url):
        raise UsageError(f"{shown!r} would send secrets unprotected", "write https://HOST")
    if "@" in parts.netloc:
        raise UsageError(f"the URL of {shown!r} holds a user or password", "leave it out")
    return f"{scheme}://{parts.netloc.lower()}"


def is_loopback(url: str) -> bool:
    """Does a URL lead to this machine itself?"""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
