"""Compare: spot checks of the mirror against the live service. Reads only.

An agent may have changed since it was backed up, which is no damage. What the remote says has not
changed since must be as the mirror has it, and so must the bytes of files that never change.
"""

from dataclasses import dataclass, field

from sync.check import Damage

_SAMPLE = 20
_FILES = 3
_CHANGED_AT = "lastChangeTimestamp"


@dataclass
class Compared:
    """What was compared, and what came of it.

    Attributes:
        objects: and files, how many were compared.
        changed_since: of those, how many are not as they were backed up, and may be.
        damage: what is not as the remote has it, although it should be.
    """

    objects: int = 0
    files: int = 0
    changed_since: int = 0
    damage: list[Damage] = field(default_factory=list)
