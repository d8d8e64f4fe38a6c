"""VU-LOG-06, -07, VU-SHM-03, VU-MEM-15: changes that somebody relies on before anything confirms them."""

from tests.conversation import Conversation, eventfd, memfd
from tests.lint import found
from tests.lint.opening import opened
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Channel

PLAIN = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES", "VERSION_1")
LOGGED = PLAIN | VIRTIO_FEATURES.mask("LOG_ALL")
MIB = 1 << 20


def only(talk: Conversation, rule: str) -> Finding:
    (finding,) = found(talk, rule)
    return finding


def running(*protocol_features: str) -> Conversation:
    """Ring 0 runs with 2 MiB of memory: 10 records."""
    talk = opened(*protocol_features)
    talk.front_end("SET_MEM_TABLE", regions=[{"size": 2 * MIB}], descriptors=(memfd(),))
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick"),))
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)
    return talk


class TestLoggingAwaited:
    """VU-LOG-06."""

    def logs(self, talk: Conversation, *, need_reply: bool = False) -> None:
        talk.front_end("SET_FEATURES", features=LOGGED, need_reply=need_reply)
        if need_reply:
            talk.back_end("SET_FEATURES", ack=0)
        talk.front_end("SET_VRING_ADDR", index=0, flags=1, need_reply=need_reply)
        if need_reply:
            talk.back_end("SET_VRING_ADDR", ack=0)

    def test_nothing_confirms_it(self) -> None:
        talk = running("REPLY_ACK")
        self.logs(talk)
        talk.ask("GET_VRING_BASE", index=0, num=9)

        finding = only(talk, "VU-LOG-06")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 12)
        assert "logging is turned on while rings run, and nothing confirms it up to #12" in finding.message

    def test_it_is_acknowledged(self) -> None:
        talk = running("REPLY_ACK")
        self.logs(talk, need_reply=True)
        talk.ask("GET_VRING_BASE", index=0, num=9)

        assert found(talk, "VU-LOG-06") == []

    def test_a_later_answer_confirms_it(self) -> None:
        talk = running("REPLY_ACK")
        self.logs(talk)
        talk.ask("GET_FEATURES", features=LOGGED)
        talk.ask("GET_VRING_BASE", index=0, num=9)

        assert found(talk, "VU-LOG-06") == []

    def test_nothing_could_be_asked_for(self) -> None:
        talk = running()
        self.logs(talk)
        talk.ask("GET_VRING_BASE", index=0, num=9)

        assert found(talk, "VU-LOG-06") == []

    def test_no_ring_runs_yet(self) -> None:
        talk = opened("REPLY_ACK")
        self.logs(talk)
        talk.close("front-end")

        assert found(talk, "VU-LOG-06") == []


class TestLoggedWithoutLogAll:
    """VU-LOG-07."""

    def test_the_flag_without_the_feature(self) -> None:
        talk = opened()
        talk.front_end("SET_VRING_ADDR", index=0, flags=1)

        finding = only(talk, "VU-LOG-07")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 8)
        assert "has the LOG flag, but LOG_ALL was never acknowledged or even offered" in finding.message

    def test_the_flag_with_the_feature(self) -> None:
        talk = opened(features=("PROTOCOL_FEATURES", "VERSION_1", "LOG_ALL"))
        talk.front_end("SET_VRING_ADDR", index=0, flags=1)

        assert found(talk, "VU-LOG-07") == []


class TestMappingAwaited:
    """VU-SHM-03."""

    def maps(self, talk: Conversation, *, need_reply: bool = False) -> None:
        talk.back_end(
            "SHMEM_MAP", Channel.BACKEND, shmid=1, len=4096, descriptors=(memfd("blob"),), need_reply=need_reply
        )

    def test_the_back_end_does_not_offer_acknowledgements(self) -> None:
        talk = opened("BACKEND_REQ", "SHMEM")
        self.maps(talk)

        finding = only(talk, "VU-SHM-03")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.BACK_END, 8)
        assert "the back-end does not offer REPLY_ACK" in finding.message

    def test_the_back_end_does_not_ask_for_one(self) -> None:
        talk = opened("BACKEND_REQ", "SHMEM", "REPLY_ACK")
        self.maps(talk)

        assert "it does not set NEED_REPLY" in only(talk, "VU-SHM-03").message

    def test_the_back_end_asks_for_one(self) -> None:
        talk = opened("BACKEND_REQ", "SHMEM", "REPLY_ACK")
        self.maps(talk, need_reply=True)

        assert found(talk, "VU-SHM-03") == []


class TestRemovalAwaited:
    """VU-MEM-15."""

    def shrinks(self, talk: Conversation, size: int, *, need_reply: bool = False) -> None:
        talk.front_end("SET_MEM_TABLE", regions=[{"size": size}], descriptors=(memfd(),), need_reply=need_reply)

    def test_memory_goes_while_a_ring_runs(self) -> None:
        talk = running("REPLY_ACK")
        self.shrinks(talk, MIB)

        finding = only(talk, "VU-MEM-15")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.FRONT_END, 11)
        assert "removes guest memory at 0x0 while rings run, without NEED_REPLY" in finding.message

    def test_an_acknowledgement_is_asked_for(self) -> None:
        talk = running("REPLY_ACK")
        self.shrinks(talk, MIB, need_reply=True)

        assert found(talk, "VU-MEM-15") == []

    def test_the_same_memory_again(self) -> None:
        talk = running("REPLY_ACK")
        self.shrinks(talk, 2 * MIB)

        assert found(talk, "VU-MEM-15") == []
