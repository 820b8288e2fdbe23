"""What request bodies may hold, field by field, and how they are read.

The vendor's schemas as typed dicts (aisuru-openapi.yaml, `…Create` and `…Update`). Names match
in any letter case (aisuru-api.md 1), unknown ones are dropped (aisuru-api.md 7), a value of the
wrong type is refused.
"""

from __future__ import annotations

import json
from functools import cache
from typing import (
    Any,
    NoReturn,
    TypedDict,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec

from sync.sandbox.remote import Refusal

Body = TypeVar("Body")
TextMap = dict[str, str | None]
Number = int | float


class SessionBody(TypedDict, total=False):
    """Opening a session (aisuru-api.md 5)."""

    memoriID: str
    password: str | None
    tag: str | None
    pin: str | None
    birthDate: str | None
    additionalInfo: TextMap | None


class PersonBody(TypedDict, total=False):
    """A person (aisuru-api.md 8.1)."""

    personType: str | None
    name: str | None
    information: str | None
    pin: str | None
    tag: str | None


class LocalizationKeyBody(TypedDict, total=False):
    """A localization key (aisuru-api.md 8.2)."""

    key: str | None
    value: str | None


class AnswerBody(TypedDict, total=False):
    """One answer of a memory (aisuru-api.md 8.3)."""

    text: str | None
    preformatted: bool | None


class MediumBody(TypedDict, total=False):
    """A medium (aisuru-api.md 8.4)."""

    url: str | None
    content: str | None
    mimeType: str | None
    title: str | None
    properties: TextMap | None


class MemoryBody(TypedDict, total=False):
    """A memory (aisuru-api.md 8.3)."""

    memoryType: str | None
    title: str | None
    titleVariants: list[str] | None
    answers: list[AnswerBody] | None
    media: list[MediumBody] | None
    receiverID: str | None
    date: str | None
    dateUncertaintyDays: Number | None
    placeName: str | None
    placeLatitude: Number | None
    placeLongitude: Number | None
    placeUncertaintyKm: Number | None
    conclusive: bool | None
    notPickable: bool | None
    help: bool | None
    hints: list[str] | None
    minTimeout: Number | None
    maxTimeout: Number | None
    contextVarsToSet: TextMap | None
    contextVarsToMatch: TextMap | None
    dcmOutcomeType: str | None
    dcmOutcomeCode: str | None
    tags: list[str] | None


class MemoryChangeBody(MemoryBody, total=False):
    """A change of a memory: one field more than the memory has."""

    markAsRead: bool | None


class CustomWordBody(TypedDict, total=False):
    """A word of the agent's own (aisuru-api.md 11)."""

    word: str | None
    definition: str | None


class CustomWordChangeBody(TypedDict, total=False):
    """A change of a word: only what it means."""

    definition: str | None


class CorrelationPairBody(TypedDict, total=False):
    """Two texts that mean the same, or do not (aisuru-api.md 11)."""

    text1: str | None
    text2: str | None
    correlated: bool
    occurrences: int


class ExpertReferenceBody(TypedDict, total=False):
    """Another agent that is asked (aisuru-api.md 11)."""

    name: str | None
    description: str | None
    default: bool | None
    expertMemoriID: str | None
    expertPassword: str | None
    expertBaseURL: str | None


class ParameterBody(TypedDict, total=False):
    """One parameter of a function (aisuru-api.md 11)."""

    name: str | None
    description: str | None
    parameterType: str | None
    possibleValues: list[str] | None
    required: bool | None


class FunctionBody(TypedDict, total=False):
    """A function that the agent may call (aisuru-api.md 11)."""

    functionType: str | None
    name: str | None
    description: str | None
    parameters: list[ParameterBody] | None
    webHook: str | None
    httpMethod: str | None
    httpHeaders: TextMap | None
    httpQueryStringTemplate: str | None
    httpBodyTemplate: str | None
    httpBodyContentType: str | None
    sendExtensionHeaders: list[str] | None


class IntentSlotBody(TypedDict, total=False):
    """What an utterance may hold in a place (aisuru-api.md 11)."""

    name: str | None
    values: list[str] | None
    webHook: str | None
    validityMinutes: Number | None


class UtteranceBody(TypedDict, total=False):
    """A sentence that means an intent (aisuru-api.md 11)."""

    text: str | None


class IntentBody(TypedDict, total=False):
    """Something that people may want from the agent (aisuru-api.md 11)."""

    intentType: str | None
    name: str | None
    utterances: list[UtteranceBody] | None
    timeoutIntent: bool | None
    webHook: str | None
    validityMinutes: Number | None


class UnansweredQuestionBody(TypedDict, total=False):
    """What the agent did not know (aisuru-api.md 11)."""

    text: str | None
    contextVars: TextMap | None
    occurrences: int
    receiverID: str | None
    receiverTag: str | None
    receiverName: str | None


ChatLogsPagedBody = TypedDict(
    "ChatLogsPagedBody",
    {
        "dateFrom": str | None,
        "dateTo": str | None,
        "minimumMessagesPerChat": int | None,
        "filter": str | None,
        "from": int,
        "howMany": int,
    },
    total=False,
)
"""Asking for a page of chats (aisuru-api.md 11)."""


class LoginBody(TypedDict, total=False):
    """A login by password (aisuru-api.md 3)."""

    tenant: str | None
    userName: str | None
    eMail: str | None
    password: str | None
    newPassword: str | None
    flowID: str | None


class JwtLoginBody(TypedDict, total=False):
    """A login by a trusted application (aisuru-api.md 3)."""

    tenant: str | None
    jwtToken: str | None


class AssetBody(TypedDict, total=False):
    """A change of an asset's record (aisuru-api.md 9.1)."""

    originalFileName: str | None
    engineMemoryID: str | None
    remoteSessionCheck: bool | None


class MemoriBody(TypedDict, total=False):
    """A change of an agent's settings (aisuru-api.md 4)."""

    name: str | None
    description: str | None
    memoriConfigurationID: str | None
    culture: str | None
    voiceType: str | None
    categories: list[str] | None
    giverTag: str | None
    giverPIN: str | None
    privacyType: str | None
    password: str | None
    newPassword: str | None
    avatarURL: str | None
    coverURL: str | None
    avatar3DURL: str | None
    avatarOriginal3DURL: str | None
    needsPosition: bool | None
    needsDateTime: bool | None
    publishedInTheMetaverse: bool | None
    metaverseEnvironment: str | None
    exposed: bool | None
    mobile: bool | None
    disableR2R3Loop: bool | None
    disableR4Loop: bool | None
    disableR5Loop: bool | None
    ageRestriction: int | None
    confidenceOffset: Number | None
    nsfw: bool | None
    enableCompletions: bool | None
    completionDescription: str | None
    dtDescription: str | None
    enableDeepThought: bool | None
    enableBoardOfExperts: bool | None
    disableCompletionMediaExtraction: bool | None
    completionConfigNameForQuestionAnswering: str | None
    completionConfigNameForImportExport: str | None
    completionConfigNameForDeepThought: str | None
    completionTemperature: Number | None
    completionMaxTokens: int | None
    alwaysAnswerWithCompletion: bool | None
    disableAIContentCollection: bool | None
    chainingMemoriID: str | None
    chainingBaseURL: str | None
    properties: Any
    enableMacroFunctions: list[str] | None
    requireLoginToken: bool | None
    scorm: bool | None


class IntegrationResourceBody(TypedDict, total=False):
    """What an integration uses."""

    name: str | None
    url: str | None


class IntegrationBody(TypedDict, total=False):
    """An integration (aisuru-api.md 11)."""

    memoriID: str | None
    type: str | None
    state: str | None
    publish: bool | None
    deviceEmails: list[str] | None
    invocationText: str | None
    jobID: str | None
    customData: str | None
    resources: list[IntegrationResourceBody] | None


def read(raw: bytes, shape: type[Body]) -> Body:
    """Read a request body.

    Args:
        raw: the bytes as they came.
        shape: the typed dict that says which fields there are.

    Returns:
        The known fields that are present, in the documented spelling.

    Raises:
        Refusal: 400, not JSON, not an object, or a field of the wrong type.
    """
    try:
        data = json.loads(raw, parse_constant=_no_constant)
    except ValueError:
        raise Refusal(400, "The body is not JSON") from None
    try:
        return msgspec.convert(_respell(data, shape), shape)
    except msgspec.ValidationError as problem:
        raise Refusal(400, str(problem)) from None


def field_names(shape: type) -> tuple[str, ...]:
    """The names of all fields of a body."""
    return tuple(_hints(shape))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


@cache
def _hints(shape: type) -> dict[str, Any]:
    return get_type_hints(shape)


@cache
def _spellings(shape: type) -> dict[str, str]:
    return {name.lower(): name for name in _hints(shape)}


def _respell(value: Any, shape: Any) -> Any:
    """Give property names their documented spelling; keys of string maps are data and stay."""
    if is_typeddict(shape) and isinstance(value, dict):
        hints, spellings = _hints(shape), _spellings(shape)
        named = {spellings.get(str(name).lower(), str(name)): v for name, v in value.items()}
        return {name: _respell(inner, hints.get(name)) for name, inner in named.items()}
    if isinstance(value, list):
        options = (shape, *get_args(shape))
        inner = next(
            (get_args(option)[0] for option in options if get_origin(option) is list), None
        )
        return [_respell(item, inner) for item in value]
    return value
