"""Two peers that say anything at all, in any order: the session and the linter follow, and keep their bounds."""

import struct

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.conversation import MILLISECOND, Conversation, eventfd, memfd
from tests.wire.strategies import values
from vudissect.capture.record import Mark, RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.lint.linter import Linter
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol.model import Channel, Row, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.session.session import Session
from vudissect.wire.codec import Codec

CODEC = Codec(UPSTREAM, "little")
SIDES = st.sampled_from([Side.FRONT_END, Side.BACK_END])
CHANNELS = st.sampled_from(Channel)
DESCRIPTORS = st.lists(st.sampled_from([eventfd(1), eventfd(2), memfd(), memfd("other", 4096)]), max_size=3).map(tuple)
CONNECTIONS = st.integers(1, 3)
FLAGS = [0, 1, 2, 5, 9, 13, 2**32 - 1]
MARKS = [0, *map(int, Mark)]
KNOWN = {rule.id for rule in ALL_RULES}


class Peers(RuleBasedStateMachine):
    """What is said is understood, judged and shown at once, as in a live capture."""

    @initialize()
    def begin(self) -> None:
        self.talk = Conversation()
        self.session = Session(detect=True)
        self.linter = Linter(self.session)
        self.transcript = Transcript(Style(False), verbose=True)
        self.followed = 0

    def follow(self) -> None:
        for record in self.talk.records[self.followed :]:
            event = self.session.feed(record)
            findings = self.linter.check(event)
            assert {finding.rule for finding in findings} <= KNOWN
            assert self.transcript.text(event, findings).replace("\n", "").isprintable()
        self.followed = len(self.talk.records)

    @rule(data=st.data(), row=st.sampled_from(UPSTREAM.messages), reply=st.booleans(), need_reply=st.booleans(),
          descriptors=DESCRIPTORS, connection=CONNECTIONS)  # fmt: skip
    def say_something_well_formed(
        self,
        data: st.DataObject,
        row: Row,
        reply: bool,
        need_reply: bool,
        descriptors: tuple[Descriptor, ...],
        connection: int,
    ) -> None:
        layouts = row.reply if reply and row.reply else row.request
        layout = data.draw(st.sampled_from(layouts))
        message = CODEC.encode(row, layout, data.draw(values(layout)), reply=reply, need_reply=need_reply)
        side = row.initiator if not reply else Side(1 - row.initiator)
        self.talk.raw(side, message, row.channel, descriptors=descriptors, connection=connection)
        self.follow()

    @rule(side=SIDES, channel=CHANNELS, number=st.integers(0, 50), flags=st.sampled_from(FLAGS),
          payload=st.binary(max_size=100), connection=CONNECTIONS, marks=st.sampled_from(MARKS))  # fmt: skip
    def say_something_odd(
        self, side: Side, channel: Channel, number: int, flags: int, payload: bytes, connection: int, marks: int
    ) -> None:
        message = struct.pack("<III", number, flags, len(payload)) + payload
        self.talk.raw(side, message, channel, connection=connection, marks=marks)
        self.follow()

    @rule(side=SIDES, channel=CHANNELS, noise=st.binary(max_size=40))
    def make_noise(self, side: Side, channel: Channel, noise: bytes) -> None:
        self.talk.raw(side, noise, channel)
        self.follow()

    @rule(kind=st.sampled_from([kind for kind in RecordKind if kind is not RecordKind.MESSAGE]), channel=CHANNELS,
          connection=CONNECTIONS)  # fmt: skip
    def come_or_go(self, kind: RecordKind, channel: Channel, connection: int) -> None:
        self.talk.event(kind, channel, connection, by="back-end", how="eof", messages=3, reason="x", text="y")
        self.follow()

    @rule(milliseconds=st.sampled_from([1, 100, 5_000, 600_000]))
    def be_silent(self, milliseconds: int) -> None:
        self.talk.silence(milliseconds * MILLISECOND)

    @invariant()
    def the_end_can_be_asked_about_at_any_time(self) -> None:
        if hasattr(self, "linter"):
            assert {finding.rule for finding in self.linter.finish()} <= KNOWN


Peers.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None, database=None)
TestPeers = Peers.TestCase


def test_ten_thousand_rings_and_regions_stay_within_bounds() -> None:
    talk = Conversation()
    for index in range(10_000):
        talk.front_end("SET_VRING_NUM", index=index, num=256)
        talk.front_end("ADD_MEM_REG", guest_addr=index << 20, size=1 << 20, descriptors=(memfd(str(index)),))
    session = Session()
    linter = Linter(session)

    told = sum(len(linter.check(session.feed(record))) for record in talk.records)

    state = session.states[1]
    assert len(state.rings) <= 1024
    assert len(state.memory.regions) <= 1024
    assert told < 500
