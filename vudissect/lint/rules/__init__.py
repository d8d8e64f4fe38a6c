"""All rules, in the order of their ids; each family is in a module of its own."""

from itertools import chain

from vudissect.lint.rule import Rule
from vudissect.lint.rules import (
    awaited,
    backend_channel,
    config,
    descriptors,
    devices,
    drafts,
    endings,
    faults,
    framing,
    geometry,
    handover,
    iotlb,
    memory,
    migration,
    negotiation,
    observed,
    observed_positions,
    order,
    prerequisites,
    reconnect,
    replies,
    ring_addresses,
    ring_confirmations,
    ring_runs,
    rings,
    timing,
    unanswered,
)

_BOOKS = (
    awaited.RULES,
    backend_channel.RULES,
    config.RULES,
    descriptors.RULES,
    devices.RULES,
    drafts.RULES,
    endings.RULES,
    faults.RULES,
    framing.RULES,
    geometry.RULES,
    handover.RULES,
    iotlb.RULES,
    memory.RULES,
    migration.RULES,
    negotiation.RULES,
    observed.RULES,
    observed_positions.RULES,
    order.RULES,
    prerequisites.RULES,
    reconnect.RULES,
    replies.RULES,
    ring_addresses.RULES,
    ring_confirmations.RULES,
    ring_runs.RULES,
    rings.RULES,
    timing.RULES,
    unanswered.RULES,
)

ALL_RULES: tuple[Rule, ...] = tuple(sorted(chain(*_BOOKS), key=lambda rule: rule.id))

ABOUT_FAULTS = frozenset(rule.id for rule in faults.RULES)
"""The ids of those that judge how the peers cope with a fault; of all others, the fault itself is the reason."""

# The ids of those whose infos healthy sessions have, too.
USUAL = frozenset(rule.id for rule in ALL_RULES if rule.usual)


def rules_named(text: str) -> tuple[Rule, ...]:
    """The rule with this id or name, or the rules of a family (`VU-VRG`); empty if there are none."""
    number = text.upper().rstrip("-")
    return tuple(
        rule
        for rule in ALL_RULES
        if rule.id == number or rule.id.startswith(f"{number}-") or rule.name == text.lower().replace("_", "-")
    )
