"""What numbers mean, in JSON."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conversation import Conversation, memfd
from vudissect.capture.record import RecordKind
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Channel
from vudissect.render.jsonl import json_lines
from vudissect.session.session import Session

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "json.md").read_text()
EXAMPLES = re.findall(r"^\$ jq (.*)\n((?:(?!\$|```).*\n)+)", PAGE, re.MULTILINE)


def last(talk: Conversation) -> dict[str, object]:
    events = ((event, ()) for event in Session().events(talk.records))
    line: dict[str, object] = json.loads(list(json_lines(events))[-1])
    return line


def test_features_are_lists_of_names() -> None:
    talk = Conversation()
    talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1", "EVENT_IDX"))

    assert last(talk)["names"] == {"features": ["EVENT_IDX", "VERSION_1"]}


def test_addresses_are_places_in_the_memory_map() -> None:
    talk = Conversation()
    region = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(),))
    talk.front_end("SET_VRING_ADDR", desc=0x7F00_0000_1000, avail=0x7F00_0000_2000, used=0x1234, flags=1)

    assert last(talk)["names"] == {
        "flags": ["LOG"],
        "desc": "region0+0x1000",
        "used": None,
        "avail": "region0+0x2000",
    }


def test_a_value_without_a_name_is_null() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=0, num=7)

    assert last(talk)["names"] == {"num": None}


def test_a_message_whose_numbers_mean_nothing_else_has_no_names() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_NUM", index=0, num=256)

    assert last(talk)["names"] == {}


@pytest.mark.parametrize(
    ("details", "device", "guessed"),
    [({}, None, False), ({"device": "blk"}, "blk", False), ({"back_end_command": "virtiofsd"}, "fs", True)],
)
def test_the_device_and_whether_it_is_a_guess(details: dict[str, str], device: str | None, guessed: bool) -> None:
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_OPENED, Channel.MAIN, 1, 0, **details)
    line = last(talk)

    assert (line["device"], line["device_guessed"]) == (device, guessed)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=lambda text: text[:24])
def test_an_example_on_the_page(tmp_path: Path, command: str, output: str) -> None:
    (show,) = re.findall(r"^\$ vudissect (show --json .*) > session$", PAGE, re.MULTILINE)
    with (tmp_path / "session").open("w") as session:
        subprocess.run([sys.executable, "-m", "vudissect.cli", *show.split()], stdout=session, cwd=ROOT, check=True)

    result = subprocess.run(["bash", "-c", f"jq {command}"], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert result.stdout == output
