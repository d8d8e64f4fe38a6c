"""`vudissect replay` as a user calls it: against a live peer, and where it cannot."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.program import run
from tests.replay.talks import records_of
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.replay import Dial, Listen, Options, Side, replay, script_of

TALK = (
    "F>B GET_FEATURES",
    "B>F GET_FEATURES -> INDIRECT_DESC VERSION_1",
    "F>B SET_FEATURES all that was offered",
    "F>B SET_MEM_TABLE 0+256M at 0x7f2bc3e00000 +mem#1 (memfd pc.ram 256M)",
    "F>B GET_VRING_BASE ring 0 base 0",
    "B>F GET_VRING_BASE -> ring 0 base 0",
)
OTHER = tuple(line.replace("-> INDIRECT_DESC VERSION_1", "-> RING_RESET VERSION_1") for line in TALK)


def save(path: Path, records: list[Record]) -> Path:
    code = CaptureEncoder("test", "test", 65536, 0)
    path.write_bytes(code.preamble() + b"".join(code.record(record) for record in records))
    return path


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return save(tmp_path / "talk.pcapng", records_of(*TALK))


@contextmanager
def back_end(socket: Path, lines: tuple[str, ...]) -> Iterator[None]:
    """A live back-end that speaks as in these lines, whatever it hears."""
    with Listen.at(str(socket)) as waiting:
        script = script_of(records_of(*lines), Side.BACK_END)
        player = threading.Thread(target=replay, args=(script, waiting, None, Options(timeout=10, keep_going=True)))
        player.start()
        yield
        player.join()


def test_a_peer_that_answers_as_it_did(capture: Path, tmp_path: Path) -> None:
    with back_end(tmp_path / "b.sock", TALK):
        done = run("replay", str(capture), "--as", "front-end", "--connect", str(tmp_path / "b.sock"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(
        f"{capture} as front-end: no difference; 4 messages sent, 2 received, 5 fields compared, 0 allowed, "
        r"0 messages unmatched, 0 unplayed; took [\d.]+[mu]?s, own time [\d.]+[mu]?s, recorded 7ms\n",
        done.stdout.decode(),
    )


def test_a_difference_is_told_with_the_transcript_around_it(capture: Path, tmp_path: Path) -> None:
    with back_end(tmp_path / "b.sock", OTHER):
        done = run("replay", str(capture), "--as", "front-end", "--connect", str(tmp_path / "b.sock"))

    assert done.returncode == 1
    assert done.stdout.decode().splitlines()[:-1] == [
        "different #3 GET_FEATURES features: lacks INDIRECT_DESC, also has RING_RESET",
        "--- recorded",
        "+++ replayed",
        "@@",
        "      2  F>B GET_FEATURES",
        "-     3  B>F GET_FEATURES -> INDIRECT_DESC VERSION_1 [#2]",
        "+     3  B>F GET_FEATURES -> VERSION_1 RING_RESET [#2]",
        "unplayed #4, #5, #6, #7",
    ]


def test_allow_lets_a_field_pass_and_says_so(capture: Path, tmp_path: Path) -> None:
    with back_end(tmp_path / "b.sock", OTHER):
        done = run(
            *("replay", str(capture), "--as", "front-end", "--connect", str(tmp_path / "b.sock")),
            *("--allow", "GET_FEATURES.features"),
        )

    assert done.returncode == 0
    assert b"allowed GET_FEATURES features (ignored): 0x110000000 was 0x10100000000 in #3\n" in done.stdout


def test_a_policy_file_lets_a_field_pass(capture: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[policy]\nGET_FEATURES.features = "mask 0x100000000"\n')
    with back_end(tmp_path / "b.sock", OTHER):
        done = run(
            *("replay", str(capture), "--as", "front-end", "--connect", str(tmp_path / "b.sock")),
            *("--policy", str(policy)),
        )

    assert done.returncode == 0


def test_keep_going_plays_the_rest(capture: Path, tmp_path: Path) -> None:
    with back_end(tmp_path / "b.sock", OTHER):
        done = run(
            *("replay", str(capture), "--as", "front-end", "--connect", str(tmp_path / "b.sock")),
            *("--keep-going", "--json"),
        )

    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert (report["ok"], report["sent"], report["received"], report["unplayed"]) == (False, 4, 2, [])
    assert report["differences"] == [
        {
            "kind": "value",
            "connection": 1,
            "channel": "main",
            "frame": 3,
            "message": "GET_FEATURES",
            "field": "features",
            "expected": 0x1_1000_0000,
            "got": 0x101_0000_0000,
        }
    ]


def test_the_replayed_session_is_a_capture(capture: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pcapng"
    with back_end(tmp_path / "b.sock", TALK):
        run("replay", str(capture), "--as", "front-end", "--connect", str(tmp_path / "b.sock"), "-w", str(again))

    with open_capture(str(again)) as stream:
        records = list(read_capture(stream))
    assert [record.data for record in records] == [record.data for record in records_of(*TALK)]
    assert [record.kind for record in records][:: len(records) - 1] == [
        RecordKind.CONNECTION_OPENED,
        RecordKind.CONNECTION_CLOSED,
    ]


def test_junit_has_the_difference_as_a_failure(capture: Path, tmp_path: Path) -> None:
    junit = tmp_path / "report.xml"
    with back_end(tmp_path / "b.sock", OTHER):
        run("replay", str(capture), "--as", "front-end", "--connect", str(tmp_path / "b.sock"), "--junit", str(junit))

    suite = ElementTree.parse(junit).getroot()[0]
    failure = suite.find("testcase/failure")
    assert suite.get("failures") == "1"
    assert failure is not None
    assert failure.get("message") == "#3 GET_FEATURES features: lacks INDIRECT_DESC, also has RING_RESET"
    assert "+     3  B>F GET_FEATURES -> VERSION_1 RING_RESET [#2]" in (failure.text or "")


def test_the_other_side_is_played_to_whoever_connects(capture: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vudissect.cli", "replay", str(capture), "--as", "back-end"]
    with subprocess.Popen([*command, "--listen", "front.sock"], cwd=tmp_path, stdout=subprocess.PIPE) as back:
        front = subprocess.run(
            [*command[:-1], "front-end", "--connect", "front.sock"], cwd=tmp_path, capture_output=True, timeout=30
        )
        back.communicate(timeout=30)

    assert (front.returncode, back.returncode) == (0, 0)
    assert not (tmp_path / "front.sock").exists()


def refused(*arguments: str) -> str:
    """What a call says that cannot be done: one line on standard error, nothing else."""
    done = run("replay", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    return done.stderr.decode().removeprefix("vudissect: ").removesuffix("\n")


def test_nobody_there_is_an_error_within_the_timeout(capture: Path) -> None:
    said = refused(str(capture), "--as", "front-end", "--connect", "/nowhere/b.sock", "--timeout", "0.05")

    assert said == "nobody listens at /nowhere/b.sock"


def test_nobody_who_comes_is_an_error_within_the_timeout(capture: Path, tmp_path: Path) -> None:
    path = tmp_path / "f.sock"
    said = refused(str(capture), "--as", "back-end", "--listen", str(path), "--timeout", "0.05")

    assert said == f"nobody connected to {path}"
    assert not path.exists()


def test_a_peer_that_says_nothing_ends_it_at_the_deadline(capture: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "b.sock"))
        listener.listen()
        done = run(
            *("replay", str(capture), "--as", "front-end", "--connect", str(tmp_path / "b.sock")),
            *("--keep-going", "--deadline", "0.2"),
        )

    assert done.returncode == 1
    assert done.stdout.decode().splitlines()[0] == (
        "different #3 GET_FEATURES reply: expected GET_FEATURES reply, got the other side sent nothing in time: "
        "the deadline of 0.2 s for the whole replay was reached"
    )
    assert b"unplayed #3, #4, #5, #6, #7\n" in done.stdout


@pytest.mark.parametrize(
    ("recorded", "live", "shown"),
    [
        (("F>B SET_OWNER",), (), b"allowed SET_OWNER (optional): missing at #2\n"),
        ((), ("F>B SET_OWNER",), b"allowed SET_OWNER (optional): not in the recording at #2\n"),
    ],
    ids=["missing", "additional"],
)
def test_allow_lets_a_message_be_missing_or_there_and_says_so(
    tmp_path: Path, recorded: tuple[str, ...], live: tuple[str, ...], shown: bytes
) -> None:
    capture = save(tmp_path / "talk.pcapng", records_of(*recorded, *TALK))
    front_end = script_of(records_of(*live, *TALK), Side.FRONT_END)
    player = threading.Thread(target=replay, args=(front_end, Dial.at(str(tmp_path / "f.sock"))))
    player.start()

    done = run(
        *("replay", str(capture), "--as", "back-end", "--listen", str(tmp_path / "f.sock"), "--allow", "SET_OWNER")
    )
    player.join()

    assert done.returncode == 0
    assert shown in done.stdout


@pytest.mark.parametrize("option", ["--deadline", "--timeout", "--speed"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e300", "soon"])
def test_a_time_that_is_none_is_refused(capture: Path, option: str, value: str) -> None:
    said = refused(str(capture), "--as", "front-end", "--connect", "a", option, value)

    assert f"Invalid value for '{option}'" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "the live peer is required: use --connect ADDRESS or --listen ADDRESS"),
        (("--connect", "a", "--listen", "b"), "the live peer is required: use --connect ADDRESS or --listen ADDRESS"),
        (("--connect", "fd:x"), "'fd:x': fd: needs the number of an open descriptor, as in fd:3"),
        (
            ("--connect", "a", "--allow", "GET_FEATURE"),
            "'GET_FEATURE': unknown message GET_FEATURE; did you mean GET_FEATURES?",
        ),
        (
            ("--connect", "a", "--policy", "/nowhere"),
            "/nowhere: No such file or directory: name a file that exists in /",
        ),
        (("--connect", "a", "-w", "/nowhere/x"), "/nowhere/x: No such file or directory: there is no folder /nowhere"),
        (("--connect", "a", "-w", "/dev/full", "--timeout", "0.01"), "/dev/full: No space left on device"),
        (("--connect", "a", "--policy", "/dev/zero"), "/dev/zero: longer than 1048576 bytes"),
        (("--connect", "a", "--speed", "1e-300"), "--speed 1e-300: use 0, or at least 0.001"),
    ],
)
def test_what_makes_no_sense_is_refused(capture: Path, arguments: tuple[str, ...], says: str) -> None:
    assert refused(str(capture), "--as", "front-end", *arguments) == says


def test_frames_without_messages_are_refused(capture: Path) -> None:
    said = refused(str(capture), "--as", "front-end", "--connect", "a", "--from", "20")

    assert said == f"{capture}: no messages to play in these frames"


def test_a_file_that_is_no_capture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("no capture at all")

    assert refused(str(path), "--as", "front-end", "--connect", "a").startswith(f"{path}: ")


def test_a_capture_with_lost_descriptors_is_refused_with_the_frames(tmp_path: Path) -> None:
    records = records_of(*TALK)
    records[4] = records[4]._replace(marks=Mark.DESCRIPTORS_LOST)
    path = save(tmp_path / "lost.pcapng", records)

    said = refused(str(path), "--as", "front-end", "--connect", "a")

    assert said.splitlines() == [
        f"{path}: #5: descriptors of this message, to be sent, were lost",
        f"vudissect: {path}: not all of it can be played as it was (1 messages); see --incomplete",
    ]


def test_unless_it_is_told_to_play_what_there_is(tmp_path: Path) -> None:
    records = records_of(*TALK)
    records[4] = records[4]._replace(marks=Mark.DESCRIPTORS_LOST)
    path = save(tmp_path / "lost.pcapng", records)
    with back_end(tmp_path / "b.sock", TALK):
        done = run("replay", str(path), "--as", "front-end", "--connect", str(tmp_path / "b.sock"), "--incomplete")

    assert done.returncode == 0
