"""Custom words: what the agent understands beyond its dictionary (aisuru-api.md 11).

A word is its own natural key; to change it means to delete and add it.
"""

from sync.field import TEXT
from sync.kind import AUDIT, Kind, Route, Scope

CUSTOM_WORD = Kind(
    name="custom_word",
    about="words of the agent's own, and what they mean",
    scope=Scope.MEMORI,
    key="customWordID",
    list=Route("GET", "/memori/v2/CustomWords/{session}/{from}/{howMany}", "customWords"),
    get=Route("GET", "/memori/v2/CustomWord/{session}/{customWordID}", "customWord"),
    create=Route("POST", "/memori/v2/CustomWord/{session}", "customWordID"),
    update=Route("PATCH", "/memori/v2/CustomWord/{session}/{customWordID}"),
    delete=Route("DELETE", "/memori/v2/CustomWord/{session}/{customWordID}"),
    writable={"definition": TEXT},
    create_only={"word": TEXT},
    volatile=AUDIT,
    twin=("word",),
    title=("word",),
)
