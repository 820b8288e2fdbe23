"""The registry: every kind that is mirrored, parents before their children."""

from collections.abc import Mapping

from sync.kind import Kind
from sync.kinds.asset import ASSET
from sync.kinds.badge import BADGE
from sync.kinds.localization_key import LOCALIZATION_KEY
from sync.kinds.medium import MEDIUM
from sync.kinds.memori import MEMORI
from sync.kinds.memory import MEMORY
from sync.kinds.person import PERSON
from sync.registry import registry

KINDS: Mapping[str, Kind] = registry(
    MEMORI,
    ASSET,
    BADGE,
    PERSON,
    LOCALIZATION_KEY,
    MEMORY,
    MEDIUM,
)
"""Every kind by name."""
