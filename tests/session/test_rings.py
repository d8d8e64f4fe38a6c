"""Rings and phases: how the messages of a session change them."""

from dataclasses import replace
from random import Random

import pytest

from tests.conversation import Conversation, eventfd, memfd
from tests.counting import steps
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.purpose import Purpose
from vudissect.session.phases import PHASES, Phase, Step
from vudissect.session.rings import Enabled, Order, Ring, Rings, Started
from vudissect.session.session import Session
from vudissect.session.state import State

PROTOCOL_FEATURES = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")


def after(talk: Conversation) -> State:
    return talk.events()[-1].after


def changes(talk: Conversation) -> list[str]:
    """Everything that changed, in order."""
    session = Session()
    return [
        f"{change.subject}: {change.before} -> {change.after}"
        for record in talk.records
        for change in session.feed(record).changes
    ]


@pytest.mark.parametrize("started", Started)
@pytest.mark.parametrize("enabled", Enabled)
@pytest.mark.parametrize(
    ("order", "then_started", "then_enabled"),
    [
        (Order.KICK, Started.STARTED, None),
        (Order.GET_BASE, Started.STOPPED, None),
        (Order.RUN, Started.STARTED, None),
        (Order.HALT, Started.STOPPED, None),
        (Order.HALT_ALL, Started.STOPPED, None),
        (Order.ENABLE, None, Enabled.ENABLED),
        (Order.DISABLE, None, Enabled.DISABLED),
        (Order.ENABLE_ALL, None, Enabled.ENABLED),
        (Order.DISABLE_ALL, None, Enabled.DISABLED),
    ],
)
def test_started_and_enabled_are_independent(
    started: Started, enabled: Enabled, order: Order, then_started: Started | None, then_enabled: Enabled | None
) -> None:
    ring = Ring(0, started, enabled)

    after = ring.after(order)

    assert (after.started, after.enabled) == (then_started or started, then_enabled or enabled)


def test_a_ring_runs_once_it_is_started_and_enabled() -> None:
    talk = Conversation()
    talk.front_end("SET_FEATURES", features=PROTOCOL_FEATURES)
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))
    before = after(talk).rings[0].running
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)

    assert (before, after(talk).rings[0].running) == (False, True)


def test_without_protocol_features_a_ring_is_enabled_by_rule() -> None:
    talk = Conversation()
    talk.front_end("SET_FEATURES", features=0)
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))

    assert after(talk).rings[0].running


def test_requesting_the_base_stops_a_ring_and_the_reply_has_its_position() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_KICK", index=2, nofd=1)
    talk.front_end("GET_VRING_BASE", index=2)
    talk.back_end("GET_VRING_BASE", index=2, num=77)

    ring = after(talk).rings[2]

    assert (ring.started, ring.stopped_at) == (Started.STOPPED, 77)


@pytest.mark.parametrize("name", ["RESET_DEVICE", "RESET_OWNER"])
def test_a_reset_disables_all_rings_and_keeps_the_memory(name: str) -> None:
    talk = Conversation()
    talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),))
    for ring in (0, 1):
        talk.front_end("SET_VRING_ENABLE", index=ring, num=1)
    talk.front_end(name)

    connection = after(talk)

    assert [ring.enabled for ring in connection.rings.values()] == [Enabled.DISABLED] * 2
    assert len(connection.memory.regions) == 1


def test_a_ring_has_everything_that_was_set() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_NUM", index=1, num=256)
    talk.front_end("SET_VRING_BASE", index=1, num=5)
    talk.front_end("SET_VRING_ADDR", index=1, flags=1, desc=1, used=2, avail=3, log=4)

    ring = after(talk).rings[1]

    assert (ring.size, ring.base) == (256, 5)
    assert ring.addresses is not None
    assert (ring.addresses.frame, ring.addresses.used, ring.addresses.logged) == (3, 2, True)


def test_every_call_descriptor_begins_an_epoch() -> None:
    talk = Conversation()
    for number in (1, 2):
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(number),))

    slot = after(talk).rings[0].slots[Purpose.SET_CALL]

    assert (slot.name, slot.frame, slot.epoch) == ("evt#2", 2, 2)


def test_ten_thousand_rings_are_not_kept() -> None:
    talk = Conversation()
    for index in range(10_000):
        talk.front_end("SET_VRING_NUM", index=index, num=1)

    assert len(after(talk).rings) <= 1024


def test_a_whole_session_moves_through_its_phases() -> None:
    talk = Conversation()
    talk.ask("GET_FEATURES", features=PROTOCOL_FEATURES)
    talk.front_end("SET_OWNER")
    talk.front_end("SET_VRING_KICK", index=0, nofd=1)
    talk.front_end("SET_VRING_KICK", index=1, nofd=1)
    talk.front_end("GET_VRING_BASE", index=0)
    talk.front_end("GET_VRING_BASE", index=1)
    talk.front_end("SET_VRING_KICK", index=0, nofd=1)

    assert [change.removeprefix("connection: ") for change in changes(talk) if "connection" in change] == [
        "connected -> negotiating",
        "negotiating -> configured",
        "configured -> running",
        "running -> suspended",
        "suspended -> running",
    ]


def test_every_phase_is_reachable() -> None:
    reached = {Phase.CONNECTED}
    for _ in Phase:
        reached |= {there for (here, _), there in PHASES.items() if here in reached}

    assert reached == set(Phase)
    assert not [step for (phase, step) in PHASES if phase is Phase.CLOSED and step is not Step.CLOSED]


def test_a_repeated_message_changes_nothing() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)
    once = changes(talk)
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)

    assert changes(talk) == once == ["ring 0: stopped, disabled -> stopped, enabled"]


def test_a_ring_knows_when_it_began_to_run_and_when_it_was_stopped() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_KICK", index=0, nofd=1)
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)
    talk.front_end("GET_VRING_BASE", index=0)

    ring = after(talk).rings[0]

    assert (ring.runs_since, ring.began, ring.stopped_in) == (2, talk.records[1].received, 4)


def test_where_a_ring_stopped_is_unknown_until_the_answer() -> None:
    talk = Conversation()
    for _ in range(2):
        talk.front_end("SET_VRING_KICK", index=0, nofd=1)
        talk.front_end("GET_VRING_BASE", index=0)
        talk.back_end("GET_VRING_BASE", index=0, num=5)
    talk.front_end("GET_VRING_BASE", index=0)

    assert after(talk).rings[0].stopped_at is None


def test_the_latest_answered_request_is_known() -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER")
    talk.ask("GET_FEATURES", features=0)
    talk.front_end("GET_PROTOCOL_FEATURES")

    session = Session()
    for record in talk.records:
        session.feed(record)

    assert session.pairing(1).answered == 2


TO_ALL = (Order.ENABLE_ALL, Order.DISABLE_ALL, Order.HALT_ALL)
TO_ONE = (Order.KICK, Order.GET_BASE, Order.RUN, Order.HALT, Order.ENABLE, Order.DISABLE)


@pytest.mark.parametrize("seed", range(20))
def test_an_order_to_all_rings_has_the_effect_of_one_to_each(seed: int) -> None:
    chance = Random(seed)
    rings = Rings()
    each: dict[int, Ring] = {}
    for frame in range(1, 200):
        if chance.random() < 0.5:
            order = chance.choice(TO_ALL)
            rings = rings.after(order, frame, 10 * frame)
            each = {index: ring.after(order, frame, 10 * frame) for index, ring in each.items()}
        else:
            index, order = chance.randrange(6), chance.choice(TO_ONE)
            ring = rings.get(index, Ring(index)).after(order, frame, 10 * frame)
            rings = rings.with_ring(ring)
            each[index] = each.get(index, Ring(index)).after(order, frame, 10 * frame)
        if chance.random() < 0.3:
            assert dict(rings) == each
        assert (rings.started, rings.enabled, rings.running, rings.used, rings.latest_run) == (
            sum(ring.started is Started.STARTED for ring in each.values()),
            sum(ring.enabled is Enabled.ENABLED for ring in each.values()),
            sum(ring.running for ring in each.values()),
            sum(ring.runs_since > 0 for ring in each.values()),
            max((ring.runs_since for ring in each.values()), default=0),
        )

    assert dict(rings) == each


def test_an_order_that_changes_no_ring_changes_nothing() -> None:
    rings = Rings().with_ring(Ring(0)).with_ring(Ring(1))
    enabled = rings.after(Order.ENABLE_ALL, 1, 0)

    assert rings.after(Order.DISABLE_ALL, 1, 0) is rings
    assert enabled.after(Order.ENABLE_ALL, 2, 0) is enabled
    assert enabled.with_ring(replace(enabled[1])) is enabled


def test_an_order_to_all_rings_does_not_change_the_rings_before_it() -> None:
    before = Rings().with_ring(Ring(0, Started.STARTED))
    after = before.after(Order.ENABLE_ALL, 1, 0).with_ring(Ring(1))

    assert [ring.enabled for ring in before.values()] == [Enabled.DISABLED]
    assert [ring.enabled for ring in after.values()] == [Enabled.ENABLED, Enabled.DISABLED]


def test_an_order_to_all_rings_costs_the_same_for_any_number_of_them() -> None:
    def cost(number: int) -> int:
        rings = Rings()
        for index in range(number):
            rings = rings.with_ring(Ring(index, Started.STARTED))
        return steps(lambda: rings.after(Order.ENABLE_ALL, 1, 0).after(Order.DISABLE_ALL, 2, 0))

    assert cost(1000) == cost(10)
