"""Rules about drafts, forks and numbers that were given twice."""

import pytest

from tests.conversation import Conversation
from tests.lint import found
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.protocol.dialects import dialect_by_name
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel

OFFERED = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")
PROBE = 1 << 18
STATUS = PROTOCOL_FEATURES.mask("STATUS")
CONFIG = PROTOCOL_FEATURES.mask("CONFIG")


def speaking(key: str) -> Conversation:
    dialect = dialect_by_name(key)
    assert dialect is not None
    return Conversation(protocol=dialect.protocol)


def negotiated(talk: Conversation, features: int) -> Conversation:
    talk.ask("GET_FEATURES", features=OFFERED)
    talk.ask("GET_PROTOCOL_FEATURES", features=features)
    talk.front_end("SET_PROTOCOL_FEATURES", features=features)
    return talk


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


class TestFewestQueues:
    """VU-DRF-01"""

    def probed(self, least: int, most: int) -> list[Finding]:
        talk = negotiated(speaking("probe-v2"), PROBE | STATUS | 1)
        talk.ask("GET_MIN_VQ", min_vqs=least)
        talk.ask("GET_QUEUE_NUM", queues=most)
        return found(talk, "VU-DRF-01")

    def test_more_than_there_are(self) -> None:
        finding = only(self.probed(3, 2))

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 9, (7,))
        assert "at least 3 queues, but the back-end supports 2" in finding.message

    def test_as_many_as_there_are(self) -> None:
        assert self.probed(2, 2) == []

    def test_both_in_one_answer(self) -> None:
        talk = negotiated(speaking("standalone-v1"), PROBE | STATUS)
        talk.ask("GET_BACKEND_SPECS", device_id=1, min_vqs=4, max_vqs=2)

        assert only(found(talk, "VU-DRF-01")).frames == ()


class TestWhatItIs:
    """VU-DRF-02"""

    def probed(self, name: str, **answer: int) -> list[Finding]:
        talk = negotiated(speaking("probe-v2"), PROBE | STATUS | CONFIG)
        talk.ask(name, **answer)
        return found(talk, "VU-DRF-02")

    def test_an_empty_configuration_space_with_config(self) -> None:
        finding = only(self.probed("GET_CONFIG_SIZE", config_size=0))

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 7)
        assert "0 bytes, but CONFIG is offered" in finding.message

    @pytest.mark.parametrize("number", [0, 64])
    def test_a_device_that_virtio_does_not_have(self, number: int) -> None:
        assert f"device id {number}" in only(self.probed("GET_DEVICE_ID", device_id=number)).message

    @pytest.mark.parametrize(
        ("name", "answer"), [("GET_CONFIG_SIZE", {"config_size": 1}), ("GET_DEVICE_ID", {"device_id": 63})]
    )
    def test_a_device_that_it_may_be(self, name: str, answer: dict[str, int]) -> None:
        assert self.probed(name, **answer) == []


class TestWorksAlone:
    """VU-DRF-03"""

    def test_without_status(self) -> None:
        finding = only(found(negotiated(speaking("probe-v2"), PROBE), "VU-DRF-03"))

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 4)
        assert "PROBE is offered without STATUS" in finding.message

    def test_with_a_configuration_space_but_without_config(self) -> None:
        talk = negotiated(speaking("standalone-v1"), PROBE | STATUS)
        talk.ask("GET_BACKEND_SPECS", device_id=2, config_size=60)

        assert (
            "STANDALONE is offered without CONFIG, but the configuration space has 60 bytes"
            in only(found(talk, "VU-DRF-03")).message
        )

    def test_with_all_it_needs(self) -> None:
        talk = negotiated(speaking("standalone-v1"), PROBE | STATUS | CONFIG)
        talk.ask("GET_BACKEND_SPECS", device_id=2, config_size=60)

        assert found(talk, "VU-DRF-03") == []


class TestDraftOf2015:
    """VU-DRF-04"""

    def running(self, **options: int) -> list[Finding]:
        talk = negotiated(speaking("mst-2015"), 3)
        talk.front_end("SET_RUNNING", index=1, **options)
        return found(talk, "VU-DRF-04")

    def test_a_state_that_is_neither(self) -> None:
        finding = only(self.running(num=2))

        assert (finding.blame, finding.frame) == (Blame.FRONT_END, 6)
        assert "ring 1 has the running state 2" in finding.message

    def test_the_old_header(self) -> None:
        assert "SET_RUNNING does not exist in header version 1" in only(self.running(num=1, header_flags=1)).message

    def test_as_it_should_be(self) -> None:
        assert self.running(num=1) == []

    def failed(self, payload: bytes) -> list[Finding]:
        talk = negotiated(speaking("mst-2015"), 3)
        talk.front_end("SET_VRING_NUM", index=0, num=256)
        talk.back_end(8 | 1 << 31, payload=payload)
        return found(talk, "VU-DRF-04")

    def test_a_failure_that_is_no_mirror(self) -> None:
        finding = only(self.failed(bytes(8)))

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 7, (6,))

    def test_a_failure_that_is_one(self) -> None:
        assert self.failed(bytes(4) + (256).to_bytes(4, "little")) == []


class TestOpenedOnOffer:
    """VU-DRF-05"""

    def opened(self, acked: int) -> list[Finding]:
        talk = speaking("slave-rfc")
        talk.ask("GET_FEATURES", features=OFFERED)
        talk.ask("GET_PROTOCOL_FEATURES", features=1 << 5)
        talk.front_end("SET_PROTOCOL_FEATURES", features=acked)
        talk.front_end("SET_SLAVE_REQ_FD")
        return found(talk, "VU-DRF-05")

    def test_not_acknowledged(self) -> None:
        finding = only(self.opened(0))

        assert (finding.blame, finding.frame, finding.frames) == (Blame.FRONT_END, 6, (5,))
        assert "SLAVE_REQ was not acknowledged" in finding.message

    def test_acknowledged(self) -> None:
        assert self.opened(1 << 5) == []


class TestContestedNumber:
    """VU-DRF-06"""

    def test_reset_owner_is_told_once_with_its_meanings(self) -> None:
        talk = negotiated(Conversation(), PROTOCOL_FEATURES.mask("RESET_DEVICE"))
        talk.front_end("RESET_OWNER")
        talk.front_end("RESET_OWNER")

        finding = only(found(talk, "VU-DRF-06"))
        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.FRONT_END, 6)
        assert "four meanings" in finding.message
        assert "RESET_DEVICE, which is unambiguous, is in effect" in finding.message

    def test_a_payload_that_another_dialect_understands(self) -> None:
        talk = Conversation()
        talk.front_end("GET_SHARED_OBJECT", uuid=bytes(16))
        talk.back_end("GET_SHARED_OBJECT", payload=bytes(16))

        finding = only(found(talk, "VU-DRF-06"))
        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.BACK_END, 2)
        assert "GET_SHARED_MEMORY_REGIONS in crosvm-2022" in finding.message

    def test_a_payload_that_nobody_understands(self) -> None:
        talk = Conversation()
        talk.front_end("GET_SHARED_OBJECT", uuid=bytes(16))
        talk.back_end("GET_SHARED_OBJECT", payload=bytes(3))

        assert found(talk, "VU-DRF-06") == []

    def test_a_message_of_the_dialect_in_force(self) -> None:
        talk = speaking("probe-v2")
        talk.ask("GET_DEVICE_ID", device_id=2)

        finding = only(found(talk, "VU-DRF-06"))
        assert finding.blame is Blame.UNKNOWN
        assert "GET_DEVICE_ID in probe-v2, but GET_SHARED_OBJECT in the specification" in finding.message

    def test_an_old_name_is_no_other_meaning(self) -> None:
        talk = speaking("slave-rfc")
        talk.front_end("SET_SLAVE_REQ_FD")

        assert found(talk, "VU-DRF-06") == []


class TestMisunderstoodFeature:
    """VU-DRF-07"""

    def mapped(self, *features: str) -> list[Finding]:
        talk = negotiated(Conversation(), PROTOCOL_FEATURES.mask("BACKEND_REQ", *features))
        talk.back_end("SHMEM_MAP", Channel.BACKEND, len=4096)
        return found(talk, "VU-DRF-07")

    @pytest.mark.parametrize(
        ("feature", "words"),
        [
            ("GPA_ADDRESSES", "bit 21, acknowledged as GPA_ADDRESSES, is SHMEM in shmem-bit21"),
            ("GET_VRING_BASE_INFLIGHT", "is SHMEM in shmem-bit20"),
        ],
    )
    def test_the_number_of_a_draft(self, feature: str, words: str) -> None:
        finding = only(self.mapped(feature))

        assert (finding.severity, finding.blame, finding.frame, finding.frames) == (
            Severity.COMPAT,
            Blame.BACK_END,
            6,
            (5,),
        )
        assert words in finding.message

    @pytest.mark.parametrize("features", [("GPA_ADDRESSES", "SHMEM"), ()])
    def test_the_published_number_or_none(self, features: tuple[str, ...]) -> None:
        assert self.mapped(*features) == []


class TestVendorMessage:
    """VU-DRF-08"""

    def test_a_known_vendor(self) -> None:
        talk = Conversation()
        talk.front_end(1002, payload=b"")

        finding = only(found(talk, "VU-DRF-08"))
        assert (finding.blame, finding.frame) == (Blame.FRONT_END, 1)
        assert "SNAPSHOT in crosvm-2024" in finding.message

    def test_a_number_that_nobody_uses(self) -> None:
        talk = Conversation()
        talk.front_end(999, payload=b"")

        assert found(talk, "VU-DRF-08") == []
