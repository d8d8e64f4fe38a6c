"""Which requests are owed an answer, given what the peers have negotiated."""

from typing import NamedTuple

from vudissect.protocol.model import Answer, Row
from vudissect.protocol.table import Protocol
from vudissect.wire.header import NEED_REPLY


class Answering(NamedTuple):
    """What decides, apart from the request itself, whether it is owed an answer.

    `reply_ack`, `log_shmfd` and `reply_all` are protocol features in effect; `listening`: postcopy has begun.
    """

    reply_ack: bool = False
    log_shmfd: bool = False
    reply_all: bool = False
    listening: bool = False

    def owes(self, row: Row, flags: int) -> bool:
        """Whether the rules require an answer to this request."""
        if row.answer is Answer.ALWAYS:
            return True
        if row.answer is Answer.NEVER:
            return False
        return (
            (row.answer is Answer.IF_LOG_SHMFD and self.log_shmfd)
            or (row.answer is Answer.IF_POSTCOPY and self.listening)
            or (row.answer is Answer.IF_REPLY_ALL and self.reply_all)
            or (bool(flags & NEED_REPLY) and self.reply_ack)
        )


class Bits(NamedTuple):
    """Masks of protocol features that are checked for every message; 0 for one that the dialect lacks."""

    reply_ack: int
    reply_all: int
    must_run: int
    log_shmfd: int
    guest_addresses: int


_BITS: dict[str, Bits] = {}


def bits_of(protocol: Protocol) -> Bits:
    """Cached by key: a protocol is hashed by all its rows, too slow for every message."""
    bits = _BITS.get(protocol.key)
    if bits is None:
        known = protocol.protocol_features.known
        bits = _BITS[protocol.key] = Bits(
            known("REPLY_ACK"), known("REPLY_ALL"), known("MUST_RUN"), known("LOG_SHMFD"), known("GPA_ADDRESSES")
        )
    return bits
