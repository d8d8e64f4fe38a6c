"""All verbs; importing this makes them known."""

from vudissect.check.verbs import process, rings, session
from vudissect.check.verbs.registry import VERBS, Verb, act

__all__ = ["VERBS", "Verb", "act", "process", "rings", "session"]
