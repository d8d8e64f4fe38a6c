"""Who talks on each connection of a capture."""

from collections import deque
from collections.abc import Mapping

from tests.conversation import Conversation
from vudissect.analysis import Analysis
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.summary.peers import Pair, Pairs


def pairs_of(talk: Conversation) -> Mapping[int, Pair]:
    pairs, analysis = Pairs(), Analysis(talk.records)
    deque(pairs.watch(analysis.ahead()), maxlen=0)
    return pairs.finish(analysis.session)


def negotiated(front_end: str, back_end: str) -> Conversation:
    talk = Conversation()
    talk.open(front_end, back_end)
    talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1", "PROTOCOL_FEATURES"))
    talk.ask("GET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ", "CONFIGURE_MEM_SLOTS"))
    talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ"))
    return talk


def test_a_pair_has_names_and_what_they_know_of_the_protocol() -> None:
    (pair,) = pairs_of(negotiated("qemu-system-x86", "virtiofsd")).values()

    assert pair[:4] == ("qemu-system-x86", "QEMU 2.5", "virtiofsd", "QEMU 5.1")


def test_a_connection_that_was_closed_has_the_pair_that_it_had() -> None:
    talk = negotiated("qemu-system-x86", "virtiofsd")
    talk.close("back-end")

    assert pairs_of(talk)[1].back_end_since == "QEMU 5.1"


def test_of_a_capture_without_a_beginning_the_names_are_unknown() -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER")

    assert pairs_of(talk) == {1: Pair("", "", "", "", "", "upstream")}
