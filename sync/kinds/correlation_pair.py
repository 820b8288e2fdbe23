"""Correlation pairs: two texts that mean the same, or do not (aisuru-api.md 11).

A pair cannot be asked for alone, nor changed. How often it occurred follows from use.
"""

from sync.field import BOOLEAN, INTEGER, TEXT
from sync.kind import AUDIT, Kind, Route, Scope

CORRELATION_PAIR = Kind(
    name="correlation_pair",
    about="texts that mean the same, or do not",
    scope=Scope.MEMORI,
    key="pairID",
    list=Route("GET", "/memori/v2/CorrelationPairs/{session}/{from}/{howMany}", "correlationPairs"),
    create=Route("POST", "/memori/v2/CorrelationPair/{session}", "correlationPairID"),
    delete=Route("DELETE", "/memori/v2/CorrelationPair/{session}/{pairID}"),
    create_only={"text1": TEXT, "text2": TEXT, "correlated": BOOLEAN},
    volatile={**AUDIT, "occurrences": INTEGER},
    title=("text1",),
)
