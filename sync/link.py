"""What a URL in a document means: a file of ours to fetch, or somebody else's link. Pure.

The URLs of our files occur on any host, in any letter case, alone or inside a text, with dirt
around them, and in the forms of earlier years (aisuru-api.md 8.4, 9.2, 9.3 and 9.4).
"""

import hashlib
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from sync.document import LONGEST_KEY_BYTES, Document, canonical, is_fit
from sync.errors import UsageError

_ASSET_PATH = re.compile(r"/api/v\d+/asset/(?P<file>[^/]+)(/[^/]*)?/*", re.IGNORECASE)
_LEGACY_PATH = re.compile(
    r"/api/v\d+/memoriai/(?:memori/(?P<what>cover|avatar)/(?P<memori>[^/]+)"
    r"|memory/(?P<memory>[^/]+/)?media/cloud/(?P<file>.+?))/*",
    re.IGNORECASE,
)
# JSON may spell a slash as `\/`; where it stands in a text as JSON, so do the URLs inside.
_SLASH = r"\\{0,7}/"
_ESCAPED_SLASH = re.compile(r"\\{1,7}/")
_ASSET_IN_TEXT = re.compile(
    rf"""(?:(?:https?:)?{_SLASH}{_SLASH}[^/\s"'<>\\]+)?"""
    rf"""(?P<slash>{_SLASH})api{_SLASH}v\d+{_SLASH}asset{_SLASH}"""
    r"""(?P<file>(?:[\w@-]|%[0-9a-f]{2})+(?:\.(?:[\w@-]|%[0-9a-f]{2})+)*)"""
    rf"""(?P<mark>{_SLASH}~[0-9a-f]{{16}})?""",
    re.IGNORECASE,
)
_LEGACY_IN_TEXT = re.compile(
    r"""(?:(?:https?://[^/\s"'<>\\]+)?/api/v\d+/memoriai/memor[iy]/|\b(?:cloud|guid)://)"""
    r"""[\w@-]+(?:[./]+[\w@-]+)*""",
    re.IGNORECASE,
)
TRACES = ("/api/v", "/api\\", "cloud:/", "cloud:\\", "guid:/", "guid:\\")
"""What a text holds in lower case if there is a URL of ours in it."""


class _Anywhere:
    def __contains__(self, _: object) -> bool:
        return True


ANYWHERE: Container[str] = _Anywhere()
"""All origins: where a file is said to be, whether or not it may be fetched from there."""

_FORMATS = "favicon|16x16|32x32|180x180|192x192|300x300|512x512"
_RESIZED = re.compile(rf"@(?:{_FORMATS})(?=\.[^.]*$)", re.IGNORECASE)
_SESSION_QUERY = re.compile(r"(?:^|&)memori-ai-session-id=[^&]*", re.IGNORECASE)
_USUAL_PORT = {"http": re.compile(r":(?:0*80)?$"), "https": re.compile(r":(?:0*443)?$")}
_ASSET, _CLOUD, _GUID, _MEMORIAI = "asset/", "cloud/", "guid/", "memoriai/"
_ON_BACKEND = {
    _CLOUD: "/api/v1/CloudAsset/",
    _GUID: "/api/v1/GuidAsset/",
    _MEMORIAI: "/api/v1/memoriai/",
}
"""{what the keys of legacy files begin with: the path of their endpoint} (aisuru-api.md 9.3)."""


@dataclass(frozen=True)
class FileRef:
    """A file that a document refers to.

    Attributes:
        key: what identifies it, whatever the form of its URL: `asset/<file>` for assets,
            `cloud/<path>`, `guid/<id>` and `memoriai/<path>` for legacy files, else the URL with
            its query but without a session, as `/i?id=1` and `/i?id=2` are two files; the end of
            one that is too long is replaced by its hash.
        url: where it is, or may be besides the Backend; "" if only the Backend has it.
    """

    key: str
    url: str

    @property
    def asset_file(self) -> str:
        """The file name of an asset, "" for other files."""
        return self.key.removeprefix(_ASSET) if self.key.startswith(_ASSET) else ""

    @property
    def legacy_path(self) -> str:
        """The path of a legacy file on the Backend, "" for other files."""
        start, slash, rest = self.key.partition("/")
        return _ON_BACKEND[start + slash] + rest if start + slash in _ON_BACKEND else ""

    @property
    def file_name(self) -> str:
        """The last part of the path, whose extension may tell what the file is."""
        path = self.key if self.is_on_backend else self.key.partition("?")[0]
        return path.rpartition("/")[2]

    @property
    def is_on_backend(self) -> bool:
        """Is it the Backend that has it, and not another host?"""
        return bool(self.asset_file or self.legacy_path)

    @property
    def is_final(self) -> bool:
        """Can the file never change? What is named by an id of its own cannot."""
        pictures = (_MEMORIAI + "memori/", "http:", "https:")
        return not self.key.startswith(pictures)


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
    origin = _origin(parts)
    where = ""
    if key := _own_key(parts):
        asset = _ASSET_PATH.fullmatch(parts.path)
        if asset and origin in origins:
            where = origin + _RESIZED.sub("", parts.path[: asset.end("file")])
    elif origin in origins and _is_straight(parts.path.strip("/")):
        query = _SESSION_QUERY.sub("", parts.query).lstrip("&")
        where = origin + parts.path.rstrip("/") + (f"?{query}" if query else "")
    if not (key or where) or not is_fit(key + where):
        return None
    key = key or _short(where)
    return FileRef(key, where) if len(key.encode()) <= LONGEST_KEY_BYTES else None


def _short(url: str) -> str:
    """A URL as a key: one that would be too long keeps only its beginning, and a hash of all."""
    data = url.encode()
    if len(data) <= LONGEST_KEY_BYTES:
        return url
    start = data[: LONGEST_KEY_BYTES // 2].decode(errors="ignore")
    return f"{start}~{hashlib.sha256(data).hexdigest()}"


def _own_key(parts: SplitResult) -> str:
    """The key of an asset or a legacy file, whatever its host; "" for any other URL."""
    key = ""
    if parts.scheme in ("cloud", "guid"):
        key = f"{parts.scheme}/{parts.netloc}{parts.path.rstrip('/')}"
    elif parts.scheme in ("http", "https", ""):
        if asset := _ASSET_PATH.fullmatch(parts.path):
            key = _ASSET + asset["file"]
        elif legacy := _LEGACY_PATH.fullmatch(parts.path):
            picture = f"memori/{(legacy['what'] or '').lower()}/{legacy['memori']}"
            medium = f"memory/{legacy['memory'] or ''}media/cloud/{legacy['file']}"
            key = _MEMORIAI + (picture if legacy["what"] else medium)
    return unquote(_RESIZED.sub("", key)) if _is_straight(key) else ""


def _is_straight(path: str) -> bool:
    """Does a path lead nowhere else than it says, and mean nothing in a template?"""
    segments = [unquote(each) for each in path.split("/")]
    return not any(each in ("", ".", "..") or set(each) & set("/{}") for each in segments)


def file_refs(
    document: Document, url_fields: Iterable[str], origins: Container[str]
) -> set[FileRef]:
    """All files that a document refers to, each once: its URL fields, and URLs inside any text."""
    # A medium that is a page is a link, unless the page was uploaded (aisuru-api.md 8.4).
    is_page = document.get("mimeType") == "text/html"
    urls = {name: document[name] for name in url_fields if isinstance(document.get(name), str)}
    found = [file_ref(url, () if is_page else origins) for url in urls.values()]
    whole = canonical({name: each for name, each in document.items() if name not in urls})
    if _has_trace(whole):
        plain = _ESCAPED_SLASH.sub("/", whole)
        for form in (_ASSET_IN_TEXT, _LEGACY_IN_TEXT):
            found += [file_ref(each[0], origins) for each in form.finditer(plain)]
    # Of several URLs of one file the one that can be fetched counts.
    by_key = {ref.key: ref for ref in sorted(filter(None, found), key=lambda each: each.url)}
    return set(by_key.values())


def without_query(key: str) -> str:
    """The key of a file as people are told it: the query of a URL may be as good as a password."""
    return key.partition("?")[0]


def foreign_origin(url: str, origins: Container[str]) -> str:
    """Where a URL leads if files are not fetched from there, without a login in it; else ""."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    origin = _origin(parts._replace(netloc=host))
    is_foreign = host and parts.scheme in _USUAL_PORT and origin not in origins
    return origin if is_foreign else ""


def mentions_files(document: Document) -> bool:
    """May there be a URL of ours anywhere in a document? Asking is faster than searching."""
    return _has_trace(canonical(document))


def _has_trace(text: str) -> bool:
    lower = text.lower()
    return any(trace in lower for trace in TRACES)


def move_assets(text: str, urls: Mapping[str, str], *, keeps_size: bool = True) -> str:
    """Rewrite the asset URLs inside a text; their slashes are spelled as they were.

    Args:
        text: any text of a document, or a URL alone.
        urls: {key of the file: URL it has now}; other URLs stay, but lose a session's mark.
        keeps_size: a picture that was asked for in another size still is.
    """

    def move(found: re.Match[str]) -> str:
        size = _RESIZED.search(found["file"])
        now = urls.get(_ASSET + unquote(_RESIZED.sub("", found["file"])))
        if now is None:
            return found[0].removesuffix(found["mark"] or "")
        if size and keeps_size:
            stem, dot, extension = now.rpartition(".")
            now = f"{stem}{size[0]}{dot}{extension}"
        return now.replace("/", found["slash"])

    return _ASSET_IN_TEXT.sub(move, text) if "/" in text else text


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, as users paste either form.

    Raises:
        UsageError: no http(s) URL, plain http to another machine, or a login inside.
    """
    try:
        parts = urlsplit(url)
        # A port that is no number is found out only when it is asked for.
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
    return _origin(parts)


def _origin(parts: SplitResult) -> str:
    """Scheme, host and port as they are compared: in lower case, and no port that goes without."""
    scheme = parts.scheme or "https"
    netloc = parts.netloc.lower()
    return f"{scheme}://" + (
        _USUAL_PORT[scheme].sub("", netloc) if scheme in _USUAL_PORT else netloc
    )


def is_loopback(url: str) -> bool:
    """Does a URL lead to this machine itself?"""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
