"""What a filter matches, on one conversation: the frames, in order."""

import pytest

from tests.conversation import MILLISECOND, Conversation, eventfd, memfd
from vudissect.analysis import Analysis, Judged
from vudissect.capture.record import RecordKind
from vudissect.filter import all_of, any_of, compile_filter, message_filter
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Side

FEATURES = VIRTIO_FEATURES.mask("VERSION_1", "PROTOCOL_FEATURES")
REGIONS = [
    {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000},
    {"guest_addr": 1 << 32, "size": 1 << 30, "user_addr": 0x7F80_0000_0000},
]


def talk() -> list[Judged]:
    said = Conversation()
    said.open("qemu", "disk")  # 1
    said.front_end("GET_FEATURES")  # 2
    said.back_end("GET_FEATURES", features=FEATURES)  # 3
    said.front_end("SET_FEATURES", features=FEATURES)  # 4
    said.front_end("GET_PROTOCOL_FEATURES")  # 5
    said.back_end("GET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ"), after=200 * MILLISECOND)  # 6
    said.front_end("SET_MEM_TABLE", regions=REGIONS, descriptors=(memfd(size=1 << 20), memfd(size=1 << 30)))  # 7: too
    said.front_end("SET_VRING_NUM", index=0, num=256)  # 8
    said.front_end("SET_VRING_NUM", index=1, num=512)  # 9
    said.front_end("SET_VRING_KICK", index=1, descriptors=(eventfd(1),))  # 10: breaks a rule
    said.front_end("SET_VRING_ENABLE", index=1, num=7)  # 11: breaks a rule
    said.raw(Side.FRONT_END, (1234).to_bytes(4, "little") + bytes([1, 0, 0, 0]) + bytes(4))  # 12: unknown
    said.event(RecordKind.GAP, messages=3, reason="test")  # 13
    return list(Analysis(said.records))


JUDGED = talk()


def frames(text: str) -> list[int]:
    wanted = compile_filter(text)
    return [event.record.frame for event, findings in JUDGED if wanted(event, findings)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET_VRING_NUM", [8, 9]),
        ("set_vring_num", [8, 9]),
        ("VHOST_USER_SET_VRING_NUM", [8, 9]),
        ("SET_VRING_*", [8, 9, 10, 11]),
        ("SET_VRING_[NK]*", [8, 9, 10]),
        ("GET_FEATURES", [2, 3]),
        ("1", [2, 3]),
        ("1234", [12]),
        ("ring=1", [9, 10, 11]),
        ("ring>0", [9, 10, 11]),
        ("ring!=1", [8]),
        ("from=back-end", [3, 6]),
        ("from=slave", [3, 6]),
        ("from=proxy", [1, 13]),
        ("channel=main and kind=event", [1, 13]),
        ("channel!=main", []),
        ("kind=reply", [3, 6]),
        ("kind=malformed", [12]),
        ("kind!=request", [1, 3, 6, 12, 13]),
        ("connection=1 and frame>=3 and frame<5", [3, 4]),
        ("connection=2", []),
        ("frame=0xb", [11]),
        ("latency>100ms", [6]),
        ("latency<=0.1s", [3]),
        ("elapsed<1.5ms", [1, 2]),
        ("has:fd", [7, 10]),
        ("has:finding and SET_VRING_ENABLE", [11]),
        ("severity=error", [10, 11, 12]),
        ("severity>=warning", [7, 10, 11, 12]),
        ("rule=VU-VRG-03", [11]),
        ("rule=enable-value", [11]),
        ("rule=vu-vrg and blame=unknown", [11]),
        ("rule!=VU-VRG", [7, 12]),
    ],
)
def test_what_it_matches(text: str, expected: list[int]) -> None:
    assert frames(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("num>=512", [9]),
        ("num=0x200", [9]),
        ("vring.num>=512", [9]),
        ("SET_VRING_NUM.num<512", [8]),
        ("SET_VRING_[NE]*.num<256", [11]),
        ("num!=256", [9, 11]),
        ("not num=256 and SET_VRING_*", [9, 10, 11]),
        ("regions.size>=1G", [7]),
        ("size>1G", []),
        ("memory.size=1M", [7]),
        ("memory.size!=1M", []),
        ("SET_MEM_TABLE.regions.guest_addr=0x100000000", [7]),
        ("nregions=2", [7]),
        ("features=VERSION_1", [3, 4]),
        ("features=MQ", [6]),
        ("features=version_1 and from=master", [4]),
        ("features!=VERSION_1", [6]),
        ("index=1", [9, 10, 11]),
        ("nofd=0", [10]),
        ("iotlb.perm=RW", []),
    ],
)
def test_fields_of_the_payload(text: str, expected: list[int]) -> None:
    assert frames(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!SET_VRING_* and from=front-end", [2, 4, 5, 7, 12]),
        ("not not SET_VRING_NUM", [8, 9]),
        ("GET_FEATURES or SET_FEATURES and from=back-end", [2, 3]),
        ("(GET_FEATURES or SET_FEATURES) and from=back-end", [3]),
        ("!(ring=1 or ring=0)and SET_*", [4, 7]),
        ("ring = 1 AND has:FD", [10]),
        ("ring=0 or ring=1 and SET_VRING_KICK", [8, 10]),
    ],
)
def test_how_tests_are_combined(text: str, expected: list[int]) -> None:
    assert frames(text) == expected


def test_filters_are_joined_with_their_texts() -> None:
    joined = all_of([any_of([message_filter("SET_VRING_NUM"), message_filter("8")]), compile_filter("ring=1")])

    assert joined.text == "(SET_VRING_NUM or 8) and ring=1"
    assert [event.record.frame for event, findings in JUDGED if joined(event, findings)] == [9]


@pytest.mark.parametrize(
    ("text", "judges"), [("SET_OWNER", False), ("ring=1 or !(has:fd and rule=VU-VRG)", True), ("has:finding", True)]
)
def test_it_knows_whether_it_asks_about_findings(text: str, judges: bool) -> None:
    assert compile_filter(text).judges is judges
