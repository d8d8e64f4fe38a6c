"""All rules, in the order of their ids; each family stands in a module of its own."""

from itertools import chain

from vudissect.lint.rule import Rule
from vudissect.lint.rules import (
    backend_channel,
    config,
    descriptors,
    devices,
    framing,
    handover,
    iotlb,
    migration,
    rings,
)

_BOOKS = (
    backend_channel.RULES,
    config.RULES,
    descriptors.RULES,
    devices.RULES,
    framing.RULES,
    handover.RULES,
    iotlb.RULES,
    migration.RULES,
    rings.RULES,
)

ALL_RULES: tuple[Rule, ...] = tuple(sorted(chain(*_BOOKS), key=lambda rule: rule.id))
