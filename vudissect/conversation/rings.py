"""What was seen in a ring, as a transcript writes it: `ring 0: avail 149, used 146, 3 pending for 5 s, kick 1`."""

import re
from collections.abc import Callable
from typing import Any

from vudissect.capture.observation import Observation
from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.values import count, duration

_LINE = re.compile(r"ring (?P<ring>\d+):(?: (?P<facts>[^;]*))?(?P<remarks>(?:; (?:oldest|fault|not read): .*)?)")
_REMARK = re.compile(r"; (oldest|fault|not read): (.*?)(?=; (?:oldest|fault|not read): |$)")
_REMARKS = {"oldest": "request", "fault": "fault", "not read": "unreadable"}
_FACTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], dict[str, Any]]], ...] = (
    (re.compile(r"avail (\d+)"), lambda match: {"avail": count(match[1], 16)}),
    (
        re.compile(r"avail (\d+) wrap ([01])"),
        lambda match: {"avail": count(match[1], 15) | int(match[2]) << 15},
    ),
    (re.compile(r"used (\d+)"), lambda match: {"used": count(match[1], 16)}),
    (
        re.compile(r"(\d+) pending(?: for (.+))?"),
        lambda match: {"pending": count(match[1], 32), "waited": _lasting(match[2])},
    ),
    (
        re.compile(r"kick (\d+)(?: unread for (.+))?"),
        lambda match: {"kick": count(match[1], 63), "kick_unread": _lasting(match[2])},
    ),
    (
        re.compile(r"call (\d+)(?: unread for (.+))?"),
        lambda match: {"call": count(match[1], 63), "call_unread": _lasting(match[2])},
    ),
    (re.compile(r"completion unnoticed(?: for (.+))?"), lambda match: {"unnoticed": _lasting(match[1]) or 1}),
    (
        re.compile(r"(\d+) in flight(?: left over for (.+))?"),
        lambda match: {"in_flight": count(match[1], 32), "left_over": _lasting(match[2])},
    ),
    (re.compile("no kicks wanted"), lambda _: {"no_kicks": True}),
    (re.compile("no calls wanted"), lambda _: {"no_calls": True}),
    (re.compile("back-end stopped"), lambda _: {"back_end_stopped": True}),
    (re.compile("front-end stopped"), lambda _: {"front_end_stopped": True}),
)


def read_observation(text: str) -> Observation | None:
    """The observation in a line; None if it is about something else. `ConversationError` for an unknown fact."""
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    facts: dict[str, Any] = {}
    for fact in filter(None, (match["facts"] or "").split(", ")):
        facts |= _fact(fact)
    for name, remark in _REMARK.findall(match["remarks"]):
        facts[_REMARKS[name]] = remark
    return Observation(count(match["ring"], 32), **facts)


def _fact(text: str) -> dict[str, Any]:
    for pattern, read in _FACTS:
        match = pattern.fullmatch(text)
        if match is not None:
            return read(match)
    raise ConversationError(f"{text!r} is not known of a ring: write avail, used, pending, kick or call")


def _lasting(text: str | None) -> int:
    if text is None:
        return 0
    length = duration(text)
    if length is None:
        raise ConversationError(f"{text!r} is not a duration; write 2s")
    return length
