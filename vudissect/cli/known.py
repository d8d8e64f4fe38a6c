"""Names given by the user: what they mean, or one line with the nearest known names and exit status 2."""

from typing import TYPE_CHECKING

from vudissect.cli.errors import fail
from vudissect.protocol.dialects import DIALECTS, dialect_by_name
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.spelling import did_you_mean

if TYPE_CHECKING:
    from vudissect.lint.rule import Rule


def known_dialect(name: str) -> Dialect:
    """The dialect of this name; exit 2 with the nearest names if there is none."""
    dialect = dialect_by_name(name)
    if dialect is None:
        known = [dialect.key for dialect in DIALECTS]
        fail(f"unknown dialect {name!r}; {did_you_mean(name, known, 'vudissect dialects lists them')}")
    return dialect


def known_rules(text: str) -> "tuple[Rule, ...]":
    """The rules of this id, name or family; exit 2 if there are none."""
    from vudissect.lint.rules import ALL_RULES, rules_named

    found = rules_named(text)
    if not found:
        known = [name for rule in ALL_RULES for name in (rule.id, rule.name)]
        fail(f"unknown rule {text!r}; {did_you_mean(text, known, 'vudissect rules lists them')}")
    return found
