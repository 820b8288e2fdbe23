"""A content as a page to read. Pure.

Answers are what the owner wrote, HTML or Markdown, and stand as they are. Whatever else stands in a
heading, a list or a link is escaped, so that no title can change what the page is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from sync.document import Document

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>#|~&$])")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_BREAK = re.compile("\r\n?")
_FENCE = re.compile(r"`+")
_LANGUAGES = {
    "text/javascript": "javascript",
    "text/plain": "",
    "application/json": "json",
    "application/xml": "xml",
}
_SHOWN_SCHEMES = ("http", "https", "mailto")


@dataclass(frozen=True)
class Exhibit:
    """A medium, or a file that a text mentions, as it is shown on a page.

    Attributes:
        title: what it is called.
        file: the name of the file beside the page, or "".
        mime_type: of the file or text.
        url: of somebody else's page or file, or "".
        text: a snippet, or "".
        lack: why there is no file, or "".
    """

    title: str
    file: str = ""
    mime_type: str = ""
    url: str = ""
    text: str = ""
    lack: str = ""


def page(
    title: str, key: str, document: Document, person: str, media: Sequence[Exhibit]
) -> Iterator[str]:
    """A content as Markdown.

    Args:
        title: of the page.
        key: the content's.
        document: the content.
        person: whom it is for, "" for everyone.
        media: what belongs to it, in its order.
    """
    yield f"# {inline(title)}\n"
    for name, value in _facts(key, document, person):
        yield f"\n- {name}: {value}"
    yield "\n"
    answers = _list(document.get("answers"))
    for number, answer in enumerate(answers, start=1):
        text = answer.get("text") if isinstance(answer, dict) else answer
        heading = "Answer" if len(answers) == 1 else f"Answer {number}"
        yield f"\n## {heading}\n\n{plain(str(text or ''))}\n"
    if media:
        yield "\n## Media\n"
    for each in media:
        yield f"\n{_medium(each)}\n"


def entry(title: str, path: str) -> str:
    """A line of a list of pages."""
    return f"- [{inline(title)}]({quote(path)})\n"


def inline(text: str) -> str:
    """A text in one line that means nothing but itself."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(plain(text).split()))


def plain(text: str) -> str:
    """A text without what no page can hold."""
    return _CONTROL.sub("\ufffd", _BREAK.sub("\n", text))


def link(title: str, url: str) -> str:
    """A link to somebody else's page; only the URL as text where it leads nowhere on the web."""
    try:
        scheme = urlsplit(url.strip()).scheme.lower()
    except ValueError:
        scheme = ""
    if scheme not in _SHOWN_SCHEMES:
        return inline(title) if title == url else f"{inline(title)}: {inline(url)}"
    target = quote(url.strip(), safe="%/:=&?~#+,;@", errors="replace")
    return f"[{inline(title)}]({target})"


def fenced(text: str, mime_type: str) -> str:
    """A snippet as a block that nothing inside it can end."""
    text = plain(text)
    longest = max((len(each) for each in _FENCE.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    language = _LANGUAGES.get(mime_type, mime_type.rpartition("/")[2])
    language = language if re.fullmatch(r"[a-z0-9+.-]*", language) else ""
    return f"{fence}{language}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}"


def _medium(medium: Exhibit) -> str:
    title = medium.title or medium.file or medium.url or "a text"
    if medium.file:
        mark = "!" if medium.mime_type.startswith("image/") else ""
        return f"{mark}[{inline(title)}]({quote(medium.file)})"
    if medium.lack:
        return f"{inline(title)}: this file is not here, {inline(medium.lack)}"
    if medium.url:
        return link(title, medium.url)
    return f"### {inline(title)}\n\n{fenced(medium.text, medium.mime_type)}"


def _facts(key: str, document: Document, person: str) -> Iterator[tuple[str, str]]:
    """What is known of a content, as (name, Markdown)."""
    yield "Type", inline(str(document.get("memoryType") or "not known"))
    yield "For", inline(person) or "everyone"
    for name, field in (("Also called", "titleVariants"), ("Hints", "hints"), ("Tags", "tags")):
        if texts := [inline(str(each)) for each in _list(document.get(field))]:
            yield name, "; ".join(texts)
    if date := document.get("date"):
        yield "Date", inline(str(date)) + _about(document.get("dateUncertaintyDays"), "days")
    place = [document.get(each) for each in ("placeName", "placeLatitude", "placeLongitude")]
    if any(each is not None for each in place):
        called, *degrees = place
        told = [inline(str(called))] if called else []
        if None not in degrees:
            told.append(inline(", ".join(map(str, degrees))))
        yield "Place", "; ".join(told) + _about(document.get("placeUncertaintyKm"), "km")
    for name, field in (("If", "contextVarsToMatch"), ("Sets", "contextVarsToSet")):
        if isinstance(pairs := document.get(field), Mapping) and pairs:
            yield name, "; ".join(inline(f"{each} = {value}") for each, value in pairs.items())
    for name, field in (("Made", "creationTimestamp"), ("Changed", "lastChangeTimestamp")):
        if stamp := document.get(field):
            yield name, inline(str(stamp))
    yield "Key", inline(key)


def _about(value: Any, unit: str) -> str:
    return f" ± {inline(str(value))} {unit}" if value else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
