"""What the parts of an export's index are called: who writes one and who reads it meet here. Pure.

Names hold what would be mixed without: a source, or the account at a moment, which is not the same
for each agent.
"""

from sync.export.choice import View
from sync.kind import Kind


def contents_by_age(agent: View) -> str:
    """{stamp: key} of its contents, the first taught first."""
    return f"contents by age {agent.source.id}"


def contents(agent: View) -> str:
    """The keys of its contents."""
    return f"contents {agent.source.id}"


def titles(agent: View) -> str:
    """{number: title and folder} of its contents."""
    return f"titles {agent.source.id}"


def children(agent: View, kind: Kind) -> str:
    """{content: keys of what belongs to it}, in its order."""
    return f"children {kind.name} {agent.source.id}"


def loose_files(source: View) -> str:
    """{file: URL} of those that are referred to from outside contents."""
    return f"loose files {source.source.id}"


def placed(source: View) -> str:
    """{file: where it is in the export}."""
    return f"placed {source.source.id}"


def written(kind: Kind) -> str:
    """The keys of the account's objects that stand in an agent's folder."""
    return f"written {kind.name}"


def surveyed(account: View) -> str:
    """Holds something once the parts below are filled."""
    return _of("surveyed", account)


def names(account: View) -> str:
    """{file: what the account calls it}."""
    return _of("names", account)


def attached(account: View) -> str:
    """{content: files that say they belong to it}."""
    return _of("attached", account)


def owned(account: View, kind: Kind, memori_id: str) -> str:
    """The keys of the account's objects that say they belong to an agent."""
    return _of(f"{kind.name} of {memori_id}", account)


def _of(what: str, account: View) -> str:
    return f"{what} {account.source.id} {account.snapshot_id}"
