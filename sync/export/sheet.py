"""JSON and CSV as they are written piece by piece. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sync.document import Document, pretty_json, storable

MARK = b"\xef\xbb\xbf"
"""What tells a spreadsheet that a file is UTF-8."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def json_object(document: Any) -> bytes:
    """A JSON file of one value."""
    return (pretty_json(document) + "\n").encode()


def json_array(documents: Iterable[Document]) -> Iterator[bytes]:
    """A JSON file of many documents, each in a piece of its own."""
    between = "[\n"
    for document in documents:
        yield (between + pretty_json(document)).encode()
        between = ",\n"
    yield b"[]\n" if between == "[\n" else b"\n]\n"


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """A CSV file (RFC 4180) that any spreadsheet opens, and none takes for formulas."""
    yield MARK
    yield _line(columns)
    for row in rows:
        yield _line([cell(each) for each in row])


def cell(value: Any) -> str:
    """A value as a cell: lists are joined by `; `, what looks like a formula gets an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, list):
        return cell(
            "; ".join(each if isinstance(each, str) else pretty_json(each) for each in value)
        )
    text = storable(value if isinstance(value, str) else pretty_json(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
