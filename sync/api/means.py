"""What the settings give every job to ask the remote with, whatever it asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sync.api.account import Agent
from sync.api.download import FileLimits


@dataclass(frozen=True)
class Means:
    """How to ask.

    Attributes:
        passwords: {name or id: its own password} of SECRET agents.
        page_size: objects per page.
        concurrency: calls side by side.
        limits: of files, and where they may be fetched from besides the Backend.
        without_files: files that a backup does not ask for, called as a run tells them.
    """

    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    page_size: int = 100
    concurrency: int = 4
    limits: FileLimits = field(default_factory=FileLimits)
    without_files: Sequence[str] = ()

    def password_of(self, agent: Agent) -> str:
        """A SECRET agent's own password, given under its id or its name."""
        return self.passwords.get(agent.memori_id) or self.passwords.get(agent.name, "")
