"""What a restore deletes because it was not there then, and what holds it back. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from sync.absence import SOME, Acceptance, is_suspicious, too_many
from sync.kind import Kind, Scope
from sync.order import DELETE
from sync.plan import Plan
from sync.refs import Objects
from sync.restore_point import Age
from sync.selection import Selection


@dataclass(frozen=True)
class Surplus:
    """Kinds whose extras shall go.

    Attributes:
        asked: {kind: why nothing of it is deleted, or ""}.
        is_doubted: so much of one would be deleted that somebody has to say that it is right.
    """

    asked: Mapping[str, str]
    is_doubted: bool = False

    @property
    def going(self) -> frozenset[str]:
        """Kinds whose extras go."""
        return frozenset(name for name, why in self.asked.items() if not why)

    @property
    def held(self) -> dict[str, str]:
        """{kind: why nothing of it is deleted}, although it was asked for."""
        return {name: why for name, why in self.asked.items() if why}

    def believed(
        self, plan: Plan, live: Objects, kinds: Mapping[str, Kind], accepted: Acceptance
    ) -> "Surplus":
        """Hold back what a plan deletes too much of to be believed (design 6.2)."""
        doubted = {}
        for name, kind in kinds.items():
            doomed = [each for each in plan.steps if each.op == DELETE and each.ident[0] == name]
            there = sum(1 for each in live if each[0] == name)
            if is_suspicious(len(doomed), there) and not accepted.take(name, len(doomed)):
                some = [kind.name_of(each.document) or each.live_key for each in doomed[:SOME]]
                agreed = accepted.number(name)
                doubted[name] = too_many(name, len(doomed), there, agreed, some)
        return Surplus({**self.asked, **doubted}, is_doubted=True) if doubted else self


def surplus_of(selection: Selection, kinds: Mapping[str, Kind], ages: Mapping[str, Age]) -> Surplus:
    """What was asked to go; a kind that was not seen whole stays.

    Args:
        selection: says whether anything shall go.
        kinds: those that take part.
        ages: how old each of them is, as far as it is meant.
    """
    return Surplus(
        {
            name: ages[name].why
            for name, kind in kinds.items()
            if selection.delete_extra
            and name in ages
            and kind.delete is not None
            and (kind.scope is Scope.MEMORI or name in selection.kinds)
        }
    )
