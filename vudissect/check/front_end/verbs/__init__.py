"""All verbs for front-ends; importing this makes them known."""

from vudissect.check.front_end.verbs import answers, channel, course, offers, rings
from vudissect.check.front_end.verbs.book import BOOK, NotHereError

__all__ = ["BOOK", "NotHereError", "answers", "channel", "course", "offers", "rings"]
