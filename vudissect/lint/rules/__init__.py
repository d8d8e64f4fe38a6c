"""All rules, in the order of their ids; each family stands in a module of its own."""

from itertools import chain

from vudissect.lint.rule import Rule
from vudissect.lint.rules import (
    backend_channel,
    config,
    descriptors,
    devices,
    drafts,
    framing,
    handover,
    iotlb,
    memory,
    migration,
    negotiation,
    prerequisites,
    replies,
    ring_addresses,
    ring_confirmations,
    ring_runs,
    rings,
    timing,
    unanswered,
)

_BOOKS = (
    backend_channel.RULES,
    config.RULES,
    descriptors.RULES,
    devices.RULES,
    drafts.RULES,
    framing.RULES,
    handover.RULES,
    iotlb.RULES,
    memory.RULES,
    migration.RULES,
    negotiation.RULES,
    prerequisites.RULES,
    replies.RULES,
    ring_addresses.RULES,
    ring_confirmations.RULES,
    ring_runs.RULES,
    rings.RULES,
    timing.RULES,
    unanswered.RULES,
)

ALL_RULES: tuple[Rule, ...] = tuple(sorted(chain(*_BOOKS), key=lambda rule: rule.id))
