"""Plugins by kind and name: what the kinds are, registration, discovery, and building from a config node."""

from ablate.registry.kinds import KINDS
from ablate.registry.registration import (
    Entry,
    build,
    check_node,
    entries,
    entries_digest,
    isolated,
    lookup,
    register,
    store_schemas,
)
from ablate.registry.signatures import Parameter

__all__ = [
    "KINDS",
    "Entry",
    "Parameter",
    "build",
    "check_node",
    "entries",
    "entries_digest",
    "isolated",
    "lookup",
    "register",
    "store_schemas",
]
