"""VU-RCN: what stays as it was after a reconnect."""

from tests.conversation import Conversation, eventfd, memfd
from tests.lint import found
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.protocol.features import VIRTIO_FEATURES

BOTH = ("VERSION_1", "EVENT_IDX")
MIB = 1 << 20


def only(talk: Conversation, rule: str) -> Finding:
    (finding,) = found(talk, rule)
    return finding


def runs(
    talk: Conversation,
    connection: int,
    *,
    features: tuple[str, ...] = BOTH,
    offered: tuple[str, ...] = BOTH,
    size: int = 128,
    base: int = 0,
    memory: int = 8 * MIB,
    front_end: str = "qemu-system-x86",
) -> None:
    """A connection up to a ring that runs: 8 records."""
    talk.open(front_end, "vhost", connection)
    talk.front_end("GET_FEATURES", connection=connection)
    talk.back_end("GET_FEATURES", features=VIRTIO_FEATURES.mask(*offered), connection=connection)
    talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask(*features), connection=connection)
    talk.front_end("SET_MEM_TABLE", regions=[{"size": memory}], descriptors=(memfd(),), connection=connection)
    talk.front_end("SET_VRING_NUM", index=0, num=size, connection=connection)
    talk.front_end("SET_VRING_BASE", index=0, num=base, connection=connection)
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(str(connection)),), connection=connection)


def crashed(**options: int) -> Conversation:
    """A first connection that its back-end has left: 9 records."""
    talk = Conversation()
    runs(talk, 1, **options)  # type: ignore[arg-type]
    talk.close("back-end", connection=1)
    return talk


class TestFeatures:
    """VU-RCN-01."""

    def test_one_is_gone(self) -> None:
        talk = crashed()
        runs(talk, 2, features=("VERSION_1",))

        finding = only(talk, "VU-RCN-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 13)
        assert finding.frames == (4, 9)
        assert "not those of the last connection (#4): EVENT_IDX gone;" in finding.message

    def test_the_new_back_end_does_not_offer_it(self) -> None:
        talk = crashed()
        runs(talk, 2, features=("VERSION_1",), offered=("VERSION_1",))

        finding = only(talk, "VU-RCN-01")

        assert finding.blame is Blame.BACK_END
        assert "the back-end no longer offers EVENT_IDX" in finding.message

    def test_they_are_the_same(self) -> None:
        talk = crashed()
        runs(talk, 2)

        assert found(talk, "VU-RCN-01") == []

    def test_logging_has_begun(self) -> None:
        talk = crashed()
        runs(talk, 2, features=(*BOTH, "LOG_ALL"), offered=(*BOTH, "LOG_ALL"))

        assert found(talk, "VU-RCN-01") == []

    def test_the_ring_was_stopped(self) -> None:
        talk = Conversation()
        runs(talk, 1)
        talk.ask("GET_VRING_BASE", index=0, num=4)
        talk.close("front-end")
        runs(talk, 2, features=("VERSION_1",))

        assert found(talk, "VU-RCN-01") == []

    def test_another_front_end(self) -> None:
        talk = crashed()
        runs(talk, 2, features=("VERSION_1",), front_end="cloud-hyperviso")

        assert found(talk, "VU-RCN-01") == []


class TestRings:
    """VU-RCN-02."""

    def test_another_size(self) -> None:
        talk = crashed()
        runs(talk, 2, size=256)

        finding = only(talk, "VU-RCN-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 17)
        assert "ring 0 has 256 entries but had 128 on the last connection" in finding.message

    def test_the_beginning_again(self) -> None:
        talk = crashed(base=300)
        runs(talk, 2)

        assert "ring 0 starts at 0 again, although it was at 300" in only(talk, "VU-RCN-02").message

    def test_further_on(self) -> None:
        talk = crashed(base=300)
        runs(talk, 2, base=340)

        assert found(talk, "VU-RCN-02") == []


class TestMemory:
    """VU-RCN-03."""

    def test_some_is_gone(self) -> None:
        talk = crashed()
        runs(talk, 2, memory=4 * MIB)

        finding = only(talk, "VU-RCN-03")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert "without guest memory that the last connection had (0x0 to 0x800000)" in finding.message

    def test_there_is_more(self) -> None:
        talk = crashed()
        runs(talk, 2, memory=16 * MIB)

        assert found(talk, "VU-RCN-03") == []
