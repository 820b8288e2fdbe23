"""Putting kinds together: what contradicts itself is refused before anything runs. Pure."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from sync.kind import Kind, Scope, children, parent_of


def registry(*kinds: Kind) -> Mapping[str, Kind]:
    """Put kinds together, parents before children, refusing every contradiction.

    Raises:
        ValueError: a field with two roles, an unknown ref, parent, or path parameter.
    """
    by_name = {kind.name: kind for kind in kinds}
    problems = [problem for kind in kinds for problem in _contradictions(kind, by_name)]
    if len(by_name) < len(kinds):
        problems.append("two kinds share a name")
    if problems:
        raise ValueError("; ".join(problems))
    return MappingProxyType(by_name)


def _contradictions(kind: Kind, kinds: Mapping[str, Kind]) -> Iterator[str]:
    yield from (f"{kind.name}: {problem}" for problem in _role_problems(kind))
    yield from (f"{kind.name}: {problem}" for problem in _link_problems(kind, kinds))


def _role_problems(kind: Kind) -> Iterator[str]:
    seen: set[str] = {kind.key}
    for role in (kind.writable, kind.create_only, kind.assigned, kind.volatile):
        for path in sorted(role.keys() & seen):
            yield f"{path} has two roles"
        seen |= role.keys()
    columns = [column for column, _ in kind.columns.values()]
    if len(set(columns)) < len(columns):
        yield "two fields share a column"
    named = {ref.path for ref in kind.refs} | kind.masked | kind.clearing.keys()
    for path in sorted(kind.secret & kind.declared):
        yield f"{path} is secret and kept"
    for path in named.union(kind.files, kind.twin, kind.either, kind.title):
        if path not in kind.declared:
            yield f"{path} is not declared"


def _link_problems(kind: Kind, kinds: Mapping[str, Kind]) -> Iterator[str]:
    for ref in kind.refs:
        if ref.kind not in kinds:
            yield f"{ref.path} refers to an unknown kind {ref.kind}"
    earlier = list(kinds)[: list(kinds).index(kind.name)]
    for name in sorted(kind.after.difference(earlier)):
        yield f"it comes after {name}, which must stand before it"
    if kind.parent and kind.parent.kind not in earlier:
        yield f"its parent {kind.parent.kind} does not stand before it"
    for name in sorted({parent_of(each).field for each in children(kind, kinds)} ^ kind.embeds):
        yield f"{name} is embedded in it, but only it or only its child says so"
    if not kind.create and not kind.not_restorable:
        yield "cannot be created and does not say why"
    credential = "{token}" if kind.scope is Scope.ACCOUNT else "{session}"
    for route in (kind.list, kind.get, kind.create, kind.update, kind.delete):
        if route and credential not in route.template:
            yield f"{route.template} lacks {credential}"
