"""Messages newer than the table never change the dialect of a session."""

import pytest

from tests.conversation import Conversation
from tests.session.dialects import judge
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel
from vudissect.protocol.table import UPSTREAM

WORD = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES", "VERSION_1")
LAST = max(row.id for row in UPSTREAM.channel(Channel.MAIN))
# Numbers that an old dialect uses, and that upstream may assign some day.
TAKEN = sorted({row.id for dialect in DIALECTS for row in dialect.protocol.channel(Channel.MAIN) if row.id > LAST})


def negotiated(features: int) -> Conversation:
    talk = Conversation()
    talk.open("qemu-system-x86", "qemu-storage-da")
    talk.ask("GET_FEATURES", features=WORD)
    talk.ask("GET_PROTOCOL_FEATURES", features=features)
    talk.front_end("SET_PROTOCOL_FEATURES", features=features)
    talk.front_end("SET_FEATURES", features=WORD)
    return talk


@pytest.mark.parametrize("number", TAKEN)
def test_a_number_that_a_dialect_uses(number: int) -> None:
    talk = negotiated(PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK", "CONFIG") | 1 << 24)
    talk.front_end(number, payload=bytes(8))
    talk.back_end(number, payload=bytes(8))

    assert judge(talk).dialect.key == "upstream"


def test_the_newest_message_that_the_table_has() -> None:
    talk = negotiated(PROTOCOL_FEATURES.mask("MQ", "INFLIGHT_SHMFD", "GET_VRING_BASE_SKIP_DRAIN"))
    talk.ask("GET_VRING_BASE_SKIP_DRAIN", index=0, num=7)

    assert judge(talk).dialect.key == "upstream"
