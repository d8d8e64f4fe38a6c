"""What was seen in a ring, in one line. `conversation.rings` reads it again."""

from collections.abc import Iterator

from vudissect.capture.observation import Observation
from vudissect.render.units import duration_text
from vudissect.rings.places import place_text


def observation_text(seen: Observation, *, times: bool = True) -> str:
    """`ring 0: avail 149, used 146, 3 pending for 5.00 s, kick 1 unread for 5.00 s, call 0`."""
    facts, *remarks = _parts(seen, times)
    return "; ".join([f"ring {seen.ring}: {facts}" if facts else f"ring {seen.ring}:", *remarks])


def seen_text(seen: Observation) -> str:
    """The same without the ring."""
    return "; ".join(filter(None, _parts(seen, times=True)))


def _parts(seen: Observation, times: bool) -> Iterator[str]:
    """The facts, which may be empty, and each remark."""
    yield ", ".join(_facts(seen, times))
    for name, text in (("oldest", seen.request), ("fault", seen.fault), ("not read", seen.unreadable)):
        if text:
            yield f"{name}: {text}"


def _facts(seen: Observation, times: bool) -> Iterator[str]:
    def lasting(nanoseconds: int, before: str = "") -> str:
        return f"{before} for {duration_text(nanoseconds)}" if nanoseconds and times else ""

    if seen.avail is not None:
        yield f"avail {place_text(seen.avail) if seen.is_packed else seen.avail}"
    if seen.used is not None:
        yield f"used {seen.used}"
    if seen.pending is not None:
        yield f"{seen.pending} pending{lasting(seen.waited)}"
    if seen.kick is not None:
        yield f"kick {seen.kick}{lasting(seen.kick_unread, ' unread')}"
    if seen.call is not None:
        yield f"call {seen.call}{lasting(seen.call_unread, ' unread')}"
    if seen.unnoticed:
        yield f"completion unnoticed{lasting(seen.unnoticed)}"
    if seen.in_flight is not None:
        yield f"{seen.in_flight} in flight{lasting(seen.left_over, ' left over')}"
    if seen.no_kicks:
        yield "no kicks wanted"
    if seen.no_calls:
        yield "no calls wanted"
    if seen.back_end_stopped:
        yield "back-end stopped"
    if seen.front_end_stopped:
        yield "front-end stopped"
