"""The registry: every kind that is mirrored, parents before their children."""

from collections.abc import Mapping

from sync.kind import Kind
from sync.kinds.asset import ASSET
from sync.kinds.badge import BADGE
from sync.kinds.chat_log import CHAT_LOG
from sync.kinds.chat_user import CHAT_USER
from sync.kinds.correlation_pair import CORRELATION_PAIR
from sync.kinds.custom_word import CUSTOM_WORD
from sync.kinds.expert_reference import EXPERT_REFERENCE
from sync.kinds.function import FUNCTION
from sync.kinds.integration import INTEGRATION
from sync.kinds.intent import INTENT
from sync.kinds.intent_slot import INTENT_SLOT
from sync.kinds.known_fact import KNOWN_FACT
from sync.kinds.localization_key import LOCALIZATION_KEY
from sync.kinds.medium import MEDIUM
from sync.kinds.memori import MEMORI
from sync.kinds.memory import MEMORY
from sync.kinds.person import PERSON
from sync.kinds.topic import TOPIC
from sync.kinds.unanswered_question import UNANSWERED_QUESTION
from sync.registry import registry

KINDS: Mapping[str, Kind] = registry(
    MEMORI,
    INTEGRATION,
    ASSET,
    BADGE,
    PERSON,
    LOCALIZATION_KEY,
    MEMORY,
    MEDIUM,
    CUSTOM_WORD,
    CORRELATION_PAIR,
    EXPERT_REFERENCE,
    FUNCTION,
    INTENT_SLOT,
    INTENT,
    UNANSWERED_QUESTION,
    TOPIC,
    CHAT_USER,
    CHAT_LOG,
    KNOWN_FACT,
)
"""Every kind by name."""
