"""Unanswered questions: what people asked and the agent did not know (aisuru-api.md 11).

A question cannot be asked for alone, nor changed. Its suggestions are found anew for every look,
with whole memories inside, and how often it was asked follows from use.
"""

from sync.document import Document
from sync.field import INTEGER, JSON, TEXT
from sync.kind import AUDIT, Kind, Ref, Route, Scope


def _without_suggestions(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "suggestions"}


UNANSWERED_QUESTION = Kind(
    name="unanswered_question",
    about="what was asked and not answered",
    scope=Scope.MEMORI,
    key="unansweredQuestionID",
    clean=_without_suggestions,
    list=Route(
        "GET", "/memori/v2/UnansweredQuestions/{session}/{from}/{howMany}", "unansweredQuestions"
    ),
    create=Route("POST", "/memori/v2/UnansweredQuestion/{session}", "unansweredQuestionID"),
    delete=Route("DELETE", "/memori/v2/UnansweredQuestion/{session}/{unansweredQuestionID}"),
    create_only={"text": TEXT, "contextVars": JSON, "receiverID": TEXT},
    volatile={**AUDIT, "occurrences": INTEGER, "receiverTag": TEXT, "receiverName": TEXT},
    refs=(Ref("receiverID", "person"),),
    title=("text",),
)
