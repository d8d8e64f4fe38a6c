"""What stalls in a ring: which request, since when, and who has the ball."""

from typing import Any

import pytest

from tests.conversation import SECOND, Conversation
from tests.lint.looks import BLK, NET, configured, packed, running, see, started
from vudissect.protocol.model import Device
from vudissect.session.session import Session
from vudissect.session.stalls import Holder, Stall, stall_of

WAITS: dict[str, Any] = {"avail": 35, "used": 34, "pending": 1, "waited": 2 * SECOND}
DONE: dict[str, Any] = {"avail": 35, "used": 35, "pending": 0, "unnoticed": 2 * SECOND}


def stall(talk: Conversation, device: Device | None = BLK) -> Stall | None:
    session = Session(device=device)
    *_, last = session.events(talk.records)
    return stall_of(last.after)


def turn(talk: Conversation) -> tuple[Holder, str]:
    found = stall(talk)
    assert found is not None
    return found.holder, found.why


def test_the_request_and_since_when_it_waits() -> None:
    talk = running()
    see(talk, **WAITS, time=9 * SECOND, kick=1, request="request 34: flush")

    found = stall(talk)

    assert found is not None
    assert (found.ring, found.what, found.since) == (0, "request 34: flush", 7 * SECOND)
    assert found.frame == len(talk.records)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"kick": 1}, "its kick is unread"),
        ({"kick": 0}, "no kick is waiting to be read"),
        ({"kick": 1, "no_kicks": True}, "it asks for no kicks by its flags, so it has to look by itself"),
        ({"kick": 0, "back_end_stopped": True}, "its process is stopped"),
    ],
)
def test_the_back_end_has_it(seen: dict[str, Any], why: str) -> None:
    talk = running()
    see(talk, **WAITS, **seen)

    assert turn(talk) == (Holder.BACK_END, why)


def test_a_packed_ring_has_its_suppression_in_flags_also_with_event_indices() -> None:
    talk = running(talk=packed())
    see(talk, avail=35, pending=1, waited=2 * SECOND, kick=1, no_kicks=True)

    assert turn(talk) == (Holder.BACK_END, "it asks for no kicks by its flags, so it has to look by itself")


def test_the_front_end_has_to_enable_the_ring() -> None:
    talk = started()
    see(talk, **WAITS, kick=1)

    assert turn(talk) == (Holder.FRONT_END, "the ring is not enabled")


@pytest.mark.parametrize(
    ("seen", "holder", "why"),
    [
        ({"call": 1}, Holder.FRONT_END, "its call is unread"),
        ({"call": 1, "front_end_stopped": True}, Holder.FRONT_END, "its process is stopped"),
        ({"call": 0}, Holder.BACK_END, "the driver asked for a call, and there is none"),
        ({}, Holder.GUEST, "the driver has not noticed it"),
    ],
)
def test_the_driver_does_not_notice_a_completion(seen: dict[str, Any], holder: Holder, why: str) -> None:
    talk = running()
    see(talk, **DONE, **seen)

    assert turn(talk) == (holder, why)


def test_the_ring_that_waits_for_longest_is_named() -> None:
    talk = configured(ring=1, talk=running())
    talk.front_end("SET_VRING_KICK", index=1)
    talk.front_end("SET_VRING_ENABLE", index=1, num=1)
    see(talk, 0, **WAITS, time=9 * SECOND)
    see(talk, 1, **{**WAITS, "waited": 3 * SECOND}, time=9 * SECOND)

    found = stall(talk)

    assert found is not None
    assert found.ring == 1


@pytest.mark.parametrize(
    "seen",
    [{"avail": 35, "used": 35, "pending": 0}, {**WAITS, "waited": SECOND // 2}, {**DONE, "no_calls": True}],
    ids=["nothing is pending", "for a moment only", "a driver that polls"],
)
def test_what_goes_on(seen: dict[str, Any]) -> None:
    talk = running()
    see(talk, **seen)

    assert stall(talk) is None


def test_a_receive_ring_waits_for_the_network() -> None:
    talk = running()
    see(talk, **WAITS)

    assert stall(talk, NET) is None


def test_a_ring_that_was_stopped_does_not_stall() -> None:
    talk = running()
    see(talk, **WAITS)
    talk.ask("GET_VRING_BASE", index=0, num=35)

    assert stall(talk) is None
