"""The questions of docs/fleet.md, asked of all captures and of two that are not healthy."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conversation import Conversation, file
from vudissect.capture.record import RecordKind
from vudissect.export.folder import Folder
from vudissect.export.jobs import export_captures
from vudissect.export.query import query

ROOT = Path(__file__).parents[2]
CAPTURES = sorted((ROOT / "captures").glob("*.pcapng"))
PAGE = (ROOT / "docs" / "fleet.md").read_text("utf-8")
QUESTIONS = dict(re.findall(r"^### (.*?)\n.*?^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
HUGE = 2 << 20

# A row of each answer, without the directory of its capture, and without what depends on the number of captures.
EXPECTED: dict[str, tuple[Any, ...]] = {
    "Which pairs of programs broke which rule?": ("qemu-system-x86_64", "vhost-user-gpu", "VU-NEG-01", 1, 1),
    "How long do answers take?": ("dpdk-testpmd", "SET_MEM_TABLE", ..., ..., ...),
    "Who had to reconnect?": (
        "qemu-7.2-blk-qsd-back-end-killed.pcapng",
        "qemu-system-x86_64",
        "qemu-storage-daemon",
        1,
    ),
    "Which sessions were closed by the back-end?": (
        *("qemu-10.0-blk-qsd-back-end-killed.pcapng", 1, "qemu-storage-daemon", "eof", "running", 0),
    ),
    "Which features are offered and not used?": ("blk", "qemu-storage-daemon", 24, ...),
    "How much memory do guests share?": ("qemu-system-x86_64", "blk", ..., 4, 384.0),
    "Where does memory have huge pages?": ("huge.pcapng", "mem#1", "file", HUGE, "/dev/hugepages/ram"),
    "What do front-ends send most?": ("qemu-system-x86_64", "SET_VRING_ENABLE", ..., ...),
    "Which ring sizes are in use?": ("net", 256, ...),
    "Which captures cannot be trusted?": ("huge.pcapng", "gap: messages 3"),
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    place = tmp_path_factory.mktemp("fleet")
    talk = Conversation()
    region = {"guest_addr": 0, "size": HUGE, "user_addr": 0x7F00_0000_0000}
    memory = file("/dev/hugepages/ram", HUGE, page_size=HUGE)
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memory,))
    talk.event(RecordKind.GAP, messages=3)
    (place / "huge.pcapng").write_bytes(talk.capture())
    folder = Folder.begin(str(place / "tables"), "parquet")
    list(export_captures([*map(str, CAPTURES), str(place / "huge.pcapng")], folder, 1))
    return folder


def shown(value: object) -> object:
    if isinstance(value, str) and value.endswith(".pcapng"):
        return value.rpartition("/")[2]
    return int(value) if isinstance(value, Decimal) else value


def is_like(row: tuple[object, ...], expected: tuple[Any, ...]) -> bool:
    return all(wanted in (value, ...) for value, wanted in zip(row, expected, strict=True))


def test_there_are_ten_questions() -> None:
    assert QUESTIONS.keys() == EXPECTED.keys()
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize("question", EXPECTED)
def test_a_question_is_answered(fleet: Folder, question: str) -> None:
    rows = [tuple(map(shown, row)) for row in query(QUESTIONS[question], fleet).rows]

    assert any(is_like(row, EXPECTED[question]) for row in rows), rows


def test_every_message_is_in_the_tables_once(fleet: Folder) -> None:
    sql = "SELECT count(*), count(DISTINCT (file, frame)), (SELECT sum(messages) FROM sessions) FROM messages"

    ((rows, frames, counted),) = query(sql, fleet).rows

    assert rows == frames == counted
    assert rows > 3000
