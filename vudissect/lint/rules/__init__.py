"""All rules, in the order of their ids; each family stands in a module of its own."""

from itertools import chain

from vudissect.lint.rule import Rule
from vudissect.lint.rules import rings

ALL_RULES: tuple[Rule, ...] = tuple(sorted(chain(rings.RULES), key=lambda rule: rule.id))
