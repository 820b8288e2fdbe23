"""Fields of documents: their types, their columns, and the paths that roles are given by. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from sync.document import Document, canonical, storable


class Type(StrEnum):
    """The type of a field's column in the mirror; JSON holds lists and maps as text."""

    TEXT = "text"
    INTEGER = "integer"
    REAL = "real"
    BOOLEAN = "boolean"
    JSON = "json"


TEXT, INTEGER, REAL, BOOLEAN, JSON = Type

Fields = Mapping[str, Type]
"""Paths of one role, each with the type of its column; nested paths have no column."""

# The words of a field name: `disableR2R3Loop`, `avatar3DURL`, `engineMemoryID`.
_WORD = re.compile(r"[A-Z]\d+|\d+[A-Z](?![a-z])|[A-Z]+(?=[A-Z][a-z]|\d|$)|[A-Z]?[a-z]+|[A-Z]+|\d+")

# What the mirror's own columns are called, and what SQL would need quotes for.
_TAKEN = frozenset(
    {"source_id", "key", "change_id", "document", "default", "order", "user", "group", "end"}
)


def column_name(field_name: str) -> str:
    """`engineMemoryID` as a column: `engine_memory_id`; SQL's own words get a `_`."""
    words = _WORD.findall(field_name) if field_name.lower() != field_name else [field_name]
    name = "_".join(words).lower()
    return f"{name}_" if name in _TAKEN else name


def under(path: str, fields: Fields) -> Fields:
    """The same fields inside `path`: `under("answers[]", AUDIT)`."""
    return {f"{path}.{name}": type_ for name, type_ in fields.items()}


Paths = dict[str, "Paths | None"]
_DOUBLE_LIMIT = 1e308
_BIGINT_LIMIT = 2**63


def paths_of(paths: Iterable[str]) -> Paths:
    """Paths as a tree: {"a": None, "b[]": {"c": None}} for `a` and `b[].c`."""
    tree: Paths = {}
    for path in paths:
        *way, last = path.split(".")
        at = tree
        for step in way:
            inner = at.setdefault(step, {})
            if inner is None:
                break
            at = inner
        else:
            at[last] = None
    return tree


def without(document: Document, ignored: Paths) -> Document:
    """A document without some of its fields, and without nulls, at any depth."""
    return {
        name: value if type(value) is str else _without_inside(name, value, ignored)
        for name, value in document.items()
        if value is not None and ignored.get(name, ...) is not None
    }


def _without_inside(name: str, value: Any, ignored: Paths) -> Any:
    if isinstance(value, dict):
        return without(value, ignored.get(name) or {})
    if isinstance(value, list):
        inside = ignored.get(f"{name}[]") or {}
        return [_without_inside("", each, {"": inside}) for each in value]
    return value


def typed(value: Any, type_: Type) -> Any:
    """A value as its column takes it on any database; null if it is of another type."""
    return None if value is None else _CONVERT[type_](value)


def _text(value: Any) -> str:
    return storable(value if isinstance(value, str) else canonical(value))


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _integer(value: Any) -> int | None:
    fits = type(value) is int and abs(value) < _BIGINT_LIMIT
    return value if fits else None


def _real(value: Any) -> float | None:
    fits = type(value) in (int, float) and abs(value) < _DOUBLE_LIMIT
    return float(value) if fits else None


_CONVERT: Mapping[Type, Callable[[Any], Any]] = {
    Type.TEXT: _text,
    Type.INTEGER: _integer,
    Type.REAL: _real,
    Type.BOOLEAN: _boolean,
    Type.JSON: canonical,
}
