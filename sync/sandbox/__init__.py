"""Our own AIsuru remote on loopback, for trying things out and for tests.

It imports nothing from the rest of the package: it must not share its mistakes.
"""

from sync.sandbox.demo import demo_world
from sync.sandbox.faults import Fault, FaultSet
from sync.sandbox.routing import Call
from sync.sandbox.server import Sandbox
from sync.sandbox.world import Account, Agent, Asset, World

__all__ = [
    "Account",
    "Agent",
    "Asset",
    "Call",
    "Fault",
    "FaultSet",
    "Sandbox",
    "World",
    "demo_world",
]
