"""Expert infos are there for whoever has not named a field of the plugin: in the list, and for other filters."""

import os
import re
import subprocess
from pathlib import Path

from vudissect.conversation.text import read_conversation

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "wireshark" / "vhost_user.lua"
TALK = """\
F>B GET_FEATURES
B>F GET_FEATURES -> features 0x40000000
F>B SET_LOG_FD
F>B GET_QUEUE_NUM
--- connection 1 closed by the back-end (eof)
"""


def tshark(folder: Path, *options: str) -> str:
    capture = folder / "talk.pcapng"
    capture.write_bytes(read_conversation(TALK).capture())
    done = subprocess.run(
        ["tshark", "-X", f"lua_script:{PLUGIN}", "-r", capture, *options],
        env={"HOME": str(folder), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_list_of_expert_infos_has_them(tmp_path: Path) -> None:
    found = re.findall(r"VHOST_USER +(.*)", tshark(tmp_path, "-q", "-z", "expert"))

    assert "VU-FD-02: SET_LOG_FD has 0 descriptors, it needs 1 (eventfd)" in found
    assert "GET_QUEUE_NUM (#4) was never answered" in found


def test_a_filter_of_wireshark_itself_finds_them(tmp_path: Path) -> None:
    frames = tshark(tmp_path, "-Y", '_ws.expert.group == "Protocol"', "-T", "fields", "-e", "frame.number").split()

    assert "3" in frames


def test_messages_without_any_have_none(tmp_path: Path) -> None:
    frames = tshark(tmp_path, "-Y", "_ws.expert.severity > 0x00400000", "-T", "fields", "-e", "frame.number").split()

    assert "1" not in frames
