"""The verbs for front-ends, and what says that a front-end cannot be checked with one."""

from vudissect.check.verbs.registry import VerbBook

BOOK = VerbBook()


class NotHereError(Exception):
    """A case that cannot be played with this front-end; one line says why."""
