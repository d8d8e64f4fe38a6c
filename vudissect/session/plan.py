"""What a session does with a message, computed once for all messages of a form.

Nearly all messages have one of a few forms. What to do with a message depends on its form and on the negotiated answer
rules, which seldom change: a plan is made for each combination of the two, and then only carried out.
"""

from functools import cached_property
from typing import NamedTuple

from vudissect.capture.keys import KEY_NUMBERS
from vudissect.protocol.model import Answer, Row
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import Protocol
from vudissect.session.answering import Answering
from vudissect.session.effects import ON_REPLY, ON_REQUEST, Apply
from vudissect.session.event import Kind
from vudissect.wire.codec import Codec, Form, WireMessage, codec_of
from vudissect.wire.header import NEED_REPLY


class Plan(NamedTuple):
    """What to do with a message: `apply` makes the state after it; None if nothing changes.

    For a request, `owed`: an answer is due; `awaits`: an answer is due or possible. `ordinary`: nothing changes but
    what is pending, and it has no key material.
    """

    row: Row
    id: int
    flags: int
    reply: bool
    kind: Kind
    apply: Apply | None
    owed: bool
    awaits: bool
    ordinary: bool


Plans = dict[Form | None, Plan]
"""The plans made so far, by form. There is none for None: each message without a form gets its own plan."""


class Table:
    """A protocol prepared for use: its codecs and plans."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.little_endian = codec_of(protocol, "little")
        # Keyed by row, which is hashed by identity; an enumeration is hashed in Python.
        self._on_request = {row: ON_REQUEST[row.purpose] for row in protocol.messages if row.purpose in ON_REQUEST}
        self._on_reply = {row: ON_REPLY[row.purpose] for row in protocol.messages if row.purpose in ON_REPLY}
        self._plans: dict[Answering, Plans] = {}

    @cached_property
    def big_endian(self) -> Codec:
        """The codec that hardly any capture needs."""
        return codec_of(self._protocol, "big")

    def plans(self, answering: Answering) -> Plans:
        """The plans for connections with these answer rules."""
        return self._plans.setdefault(answering, {})

    def plan(self, message: WireMessage, answering: Answering) -> Plan:
        """A plan for this message and all others of its form."""
        plan = self._new_plan(message, answering)
        if message.form is not None:
            self.plans(answering)[message.form] = plan
        return plan

    def _new_plan(self, message: WireMessage, answering: Answering) -> Plan:
        row, layout, reply = message.row, message.layout, message.reply
        if message.problem:
            kind = Kind.MALFORMED
        elif reply:
            kind = Kind.ACK if layout is ACK else Kind.REPLY
        else:
            kind = Kind.REQUEST
        apply: Apply | None = None
        if message.fits and not (reply and message.error):
            apply = (self._on_reply if reply else self._on_request).get(row)
        owed = not reply and answering.owes(row, message.flags)
        if owed and row.answer is Answer.IF_POSTCOPY and _ends_exchange(message, answering):
            owed = False
        awaits = not reply and (owed or not row.known or bool(message.flags & NEED_REPLY))
        ordinary = apply is None and message.id not in KEY_NUMBERS
        return Plan(row, message.id, message.flags, reply, kind, apply, owed, awaits, ordinary)


def _ends_exchange(message: WireMessage, answering: Answering) -> bool:
    """Whether the front-end merely acknowledges the addresses that it received for postcopy; nobody answers that."""
    layout = message.layout
    if not message.fits or not answering.listening:
        return False
    return layout.bare or (layout.array is not None and not message.values[-1])
