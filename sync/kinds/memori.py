"""Memori settings: the agents themselves (aisuru-api.md 4).

Their documents hold PINs, tokens and passwords, and other people's invitations, so only the
fields named here are kept. Of integrations that is what they look like, whose texts name files;
their results and addresses stay out. No source says that an update takes them, so none sends them.
"""

from sync.document import Document
from sync.field import BOOLEAN, INTEGER, JSON, REAL, TEXT
from sync.kind import Kind, Route, Scope

_OF_INTEGRATIONS = frozenset(
    {"integrationID", "type", "state", "publish", "invocationText", "customData", "resources"}
)


def _clean(document: Document) -> Document:
    found = document.get("integrations")
    if not isinstance(found, list):
        return {name: value for name, value in document.items() if name != "integrations"}
    kept = [
        {name: value for name, value in each.items() if name in _OF_INTEGRATIONS}
        for each in found
        if isinstance(each, dict)
    ]
    return {**document, "integrations": kept}


MEMORI = Kind(
    name="memori",
    about="the agents and their settings",
    scope=Scope.ACCOUNT,
    key="memoriID",
    allow_list=True,
    clean=_clean,
    list=Route("GET", "/api/v2/Memori/{token}", "memori", count="totalCount"),
    get=Route("GET", "/api/v2/Memori/{token}/{memoriID}", "memori"),
    update=Route("PATCH", "/api/v2/Memori/{token}/{memoriID}", "memori"),
    writable={
        "name": TEXT,
        "description": TEXT,
        "culture": TEXT,
        "voiceType": TEXT,
        "categories": JSON,
        "privacyType": TEXT,
        "avatarURL": TEXT,
        "coverURL": TEXT,
        "needsPosition": BOOLEAN,
        "needsDateTime": BOOLEAN,
        "exposed": BOOLEAN,
        "mobile": BOOLEAN,
        "disableR2R3Loop": BOOLEAN,
        "disableR4Loop": BOOLEAN,
        "disableR5Loop": BOOLEAN,
        "ageRestriction": INTEGER,
        "confidenceOffset": REAL,
        "nsfw": BOOLEAN,
        "enableCompletions": BOOLEAN,
        "completionDescription": TEXT,
        "dtDescription": TEXT,
        "enableDeepThought": BOOLEAN,
        "enableBoardOfExperts": BOOLEAN,
        "disableCompletionMediaExtraction": BOOLEAN,
        "completionTemperature": REAL,
        "completionMaxTokens": INTEGER,
        "alwaysAnswerWithCompletion": BOOLEAN,
        "disableAIContentCollection": BOOLEAN,
        "requireLoginToken": BOOLEAN,
        "publishedInTheMetaverse": BOOLEAN,
        "metaverseEnvironment": TEXT,
        "scorm": BOOLEAN,
        "properties": JSON,
        "enableMacroFunctions": JSON,
        "chainingMemoriID": TEXT,
        "chainingBaseURL": TEXT,
        "completionConfigNameForQuestionAnswering": TEXT,
        "completionConfigNameForImportExport": TEXT,
        "completionConfigNameForDeepThought": TEXT,
    },
    assigned={
        "engineMemoriID": TEXT,
        "memoriConfigurationID": TEXT,
        "ownerUserID": TEXT,
        "ownerUserName": TEXT,
        "ownerTenantName": TEXT,
        "avatar3DURL": TEXT,
        "avatarOriginal3DURL": TEXT,
        "integrations": JSON,
    },
    volatile={
        "creationTimestamp": TEXT,
        "lastChangeTimestamp": TEXT,
        "isOwner": BOOLEAN,
        "isGiver": BOOLEAN,
        "isReceiver": BOOLEAN,
        "blockedUntil": TEXT,
        "contentQualityIndex": REAL,
        "contentQualityIndexTimestamp": TEXT,
    },
    files=("avatarURL", "coverURL"),
    title=("name",),
    proof="password",  # what an update of a PRIVATE or SECRET agent must carry
    not_restorable="agents are made on the site",
)
