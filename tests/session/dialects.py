"""Conversations in a dialect, and the verdict on them."""

from tests.conversation import Conversation
from vudissect.protocol.dialects import dialect_by_name
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.session.dialect import Verdict, detect_dialects

PROTOCOL_FEATURES = 1 << 30
# MQ, REPLY_ACK, BACKEND_REQ, BACKEND_SEND_FD.
USUAL = 1 << 0 | 1 << 3 | 1 << 5 | 1 << 10


def named(key: str) -> Dialect:
    dialect = dialect_by_name(key)
    assert dialect is not None
    return dialect


def begin(key: str = "upstream", *bits: int) -> Conversation:
    """A conversation in a dialect whose two sides have negotiated the usual features and these bits."""
    protocol = named(key).protocol
    known = sum(1 << bit.number for bit in protocol.protocol_features.bits)
    features = USUAL & known | sum(1 << bit for bit in bits)
    talk = Conversation(protocol=protocol)
    talk.open("front", "back")
    talk.ask("GET_FEATURES", features=PROTOCOL_FEATURES)
    talk.ask("GET_PROTOCOL_FEATURES", features=features)
    talk.front_end("SET_PROTOCOL_FEATURES", features=features)
    talk.front_end("SET_FEATURES", features=PROTOCOL_FEATURES)
    return talk


def begin_plainly(key: str) -> Conversation:
    """The same for dialects without protocol features."""
    talk = Conversation(protocol=named(key).protocol)
    talk.open("front", "back")
    talk.ask("GET_FEATURES", features=0)
    talk.front_end("SET_FEATURES", features=0)
    return talk


def judge(talk: Conversation) -> Verdict:
    return detect_dialects(talk.records)[1]
