"""What a connection knows about its beginning, and what follows for messages that were never sent."""

from tests.conversation import Conversation
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Side
from vudissect.session.state import State


def after(talk: Conversation) -> State:
    return talk.events()[-1].after


def test_a_connection_knows_when_it_began_and_between_whom() -> None:
    talk = Conversation()
    talk.open("qemu-system-x86", "virtiofsd")

    connection = after(talk)

    assert connection.opened == 1
    assert (connection.programs[Side.FRONT_END], connection.programs[Side.BACK_END]) == ("qemu-system-x86", "virtiofsd")


def test_features_that_were_not_acknowledged_are_lacking() -> None:
    talk = Conversation()
    talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ"))

    assert after(talk).lacks("REPLY_ACK")
    assert not after(talk).lacks("MQ")


def test_without_negotiation_everything_is_lacking() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("SET_OWNER")

    assert after(talk).lacks("MQ")


def test_in_mid_session_nothing_is_known_to_be_lacking() -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER")

    assert not after(talk).lacks("MQ")
