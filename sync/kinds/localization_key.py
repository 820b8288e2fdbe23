"""Localization keys: the agent's own messages, single ones and sets (aisuru-api.md 8.2).

A single key always exists and only its value changes. The keys of a set share a prefix and end in
an index, and the remote renumbers the set when one comes or goes.
"""

import re

from sync.document import Document
from sync.field import TEXT
from sync.kind import AUDIT, Kind, Limits, Route, Scope

_OF_A_SET = re.compile(r".+_\d+")


def _limits(document: Document) -> Limits:
    if _OF_A_SET.fullmatch(str(document.get("key"))):
        return Limits()
    return Limits("a single message cannot be added, only changed")


LOCALIZATION_KEY = Kind(
    name="localization_key",
    about="the messages the agent says in its own words",
    scope=Scope.MEMORI,
    key="key",
    key_given=True,
    list=Route("GET", "/memori/v2/LocalizationKeys/{session}/{from}/{howMany}", "localizationKeys"),
    get=Route("GET", "/memori/v2/LocalizationKey/{session}/{key}", "localizationKey"),
    create=Route("POST", "/memori/v2/LocalizationKey/{session}", "localizationKey"),
    update=Route("PATCH", "/memori/v2/LocalizationKey/{session}"),
    # After a delete the remote renumbers the set: the same call would hit the next one.
    delete=Route("DELETE", "/memori/v2/LocalizationKey/{session}/{key}", repeatable=False),
    writable={"value": TEXT},
    volatile=AUDIT,
    limits=_limits,
)
