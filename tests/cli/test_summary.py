"""`vudissect summary` as a user calls it, and the summary at the end of the live transcript."""

import json
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.conversation import Conversation
from tests.proxy.test_live_waits import Live

CAPTURES = Path(__file__).parents[2] / "captures"
HEALTHY = CAPTURES / "qemu-7.2-blk-qsd.pcapng"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    path = tmp_path / "broken.pcapng"
    path.write_bytes(talk.capture())
    return path


def test_a_healthy_capture_ends_with_status_0_and_the_next_command() -> None:
    result = run("summary", str(HEALTHY))

    assert result.returncode == 0
    assert result.stdout.decode().splitlines()[-1] == f"next        vudissect show {HEALTHY}"


def test_an_error_ends_with_status_1(broken: Path) -> None:
    result = run("summary", str(broken))

    assert (result.returncode, result.stderr) == (1, b"")
    assert result.stdout.startswith(b"verdict     the front-end is wrong (VU-VRG-03 in #1)")


def test_a_capture_that_is_cut_off_says_what_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    path.write_bytes(HEALTHY.read_bytes()[:-50])
    result = run("summary", str(path))

    assert result.returncode == 1
    assert b"what came after is unknown" in b" ".join(result.stdout.split())
    assert result.stderr.count(b"\n") == 1


def test_a_capture_without_messages_ends_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcapng"
    path.write_bytes(Conversation().capture())
    result = run("summary", str(path))

    assert result.returncode == 2
    assert result.stdout.startswith(b"verdict     there are no vhost-user messages in this capture")


def test_a_file_that_cannot_be_read_does_not_keep_back_the_others(broken: Path) -> None:
    result = run("summary", "missing.pcapng", str(broken))

    assert result.returncode == 2
    assert b"missing.pcapng: No such file" in result.stderr
    assert b"VU-VRG-03" in result.stdout


def test_a_capture_from_standard_input_has_no_file_to_name(broken: Path) -> None:
    result = run("summary", "-", stdin=broken.read_bytes())

    assert result.stdout.decode().splitlines()[-1].startswith("next        vudissect show FILE -Y ")


def test_each_capture_is_a_json_object(broken: Path) -> None:
    lines = run("summary", "--json", str(broken), str(HEALTHY)).stdout.splitlines()

    assert [json.loads(line)["outcome"] for line in lines] == ["broken", "fine"]


def test_the_live_transcript_ends_with_a_summary_of_the_capture() -> None:
    talk, live = Conversation(), Live()
    talk.open("qemu-system-x86", "virtiofsd")
    talk.ask("GET_FEATURES", features=0)
    talk.close("back-end")
    live.show(talk)

    assert live.rest().splitlines()[-1].startswith("next        vudissect show talk.pcapng")
