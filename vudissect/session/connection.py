"""An open connection: what changes from one message to the next."""

from vudissect.capture.keys import KEY_NUMBERS, without_keys
from vudissect.capture.record import Mark, Record
from vudissect.session.pairing import Pairing
from vudissect.session.plan import Plan, Table
from vudissect.session.state import State
from vudissect.wire.codec import WireMessage

_BIG_ENDIAN = int(Mark.BIG_ENDIAN)


class Connection:
    """An open connection: its current state, its pending requests, and how it is read.

    `plans` are those of `table` for the negotiated answer rules.
    """

    __slots__ = ("pairing", "plans", "since_gap", "state", "table", "watched")

    def __init__(self, state: State, table: Table) -> None:
        self.pairing = Pairing()
        self.watched = False
        self.since_gap = False
        self.use(state, table)

    def use(self, state: State, table: Table) -> None:
        """Continue from a state, in a dialect."""
        self.state = state
        self.table = table
        self.plans = table.plans(state.answering)

    def change(self, state: State) -> None:
        """Continue from another state in the same dialect."""
        before, self.state = self.state, state
        if state.protocol_features is not before.protocol_features or state.postcopy is not before.postcopy:
            self.plans = self.table.plans(state.answering)

    def decode(self, record: Record) -> WireMessage:
        """The message in a record."""
        _, _, channel, sender, _, _, _, _, length, data, marks, _, _, _ = record
        codec = self.table.big_endian if marks and int(marks) & _BIG_ENDIAN else self.table.little_endian
        message = codec.decode(channel, sender, data, length)
        if message.id in KEY_NUMBERS:
            return codec.decode(channel, sender, without_keys(channel, data), length)
        return message

    def plan(self, message: WireMessage) -> Plan:
        """What to do with a message that has no plan yet."""
        return self.table.plan(message, self.state.answering)

    def interrupt(self) -> None:
        """Messages were missed."""
        self.state = self.state.interrupted()
        self.pairing.interrupt()
