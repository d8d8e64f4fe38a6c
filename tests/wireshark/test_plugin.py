"""The whole plugin: it is up to date, every Lua version of Wireshark loads it, and it agrees with `show` and `lint`."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conversation import MILLISECOND, Conversation
from tests.interop.scenarios import SCENARIOS
from tests.wireshark.together import save_together
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record, RecordKind
from vudissect.conversation.text import read_conversation
from vudissect.lint.linter import Linter
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.session.session import Session
from vudissect.wireshark.generate import plugin
from vudissect.wireshark.names import short
from vudissect.wireshark.tables import RULES

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "wireshark" / "vhost_user.lua"
CAPTURES = sorted((ROOT / "captures").glob("*.pcapng"))
# The columns have the direction instead.
# Events of opened connections: with a device that is guessed, named, not known by name, and with a program of two.
CONNECTIONS: tuple[dict[str, Any], ...] = (
    {"back_end_command": "qemu-storage-da"},
    {"back_end_command": "qemu-storage-da", "device": "net"},
    {"device": "toaster"},
    {"back_end_command": "vhost-device-gp", "back_end_executable": "/usr/bin/vhost-device-gpio"},
    {"back_end_command": "vhost-device-gp"},
)
LINE = re.compile(r" *(\d+) +[\d.]+  ?(c\d+ )?(?:F>B|B>F|---)(?: backend:| gpu:)? ?(.*)")


def read(path: Path) -> list[Record]:
    with open_capture(str(path)) as stream:
        return list(read_capture(stream))


def tshark(capture: Path, home: Path, *options: str) -> str:
    done = subprocess.run(
        ["tshark", "-X", f"lua_script:{PLUGIN}", "-r", str(capture), *options],
        env={"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Lua" not in done.stderr
    return done.stdout


def columns(capture: Path, home: Path, *names: str, options: Sequence[str] = ()) -> list[list[str]]:
    wanted = [part for name in names for part in ("-e", name)]
    table = tshark(capture, home, "-T", "fields", *wanted, *options)
    return [line.split("\t") for line in table.splitlines()]


class Reading(NamedTuple):
    """How a capture reads: each frame with its line, and the frame and rule of each finding."""

    lines: list[tuple[int, str]]
    findings: set[tuple[int, str]]

    def of(self, frames: range) -> "Reading":
        """The part that is about these frames."""
        return Reading(
            [(frame, line) for frame, line in self.lines if frame in frames],
            {(frame, rule) for frame, rule in self.findings if frame in frames},
        )


class Comparison(NamedTuple):
    """How captures read in Wireshark and here, all of them at once, and which frames are of which capture."""

    theirs: Reading
    ours: Reading
    frames: dict[str, range]


def compared(captures: Mapping[str, Sequence[Record]], folder: Path) -> Comparison:
    path = folder / "together.pcapng"
    frames = save_together(path, captures)
    return Comparison(told(path, folder), ours(read(path)), frames)


@pytest.fixture(scope="module")
def real_sessions(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compared({path.stem: read(path) for path in CAPTURES}, tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def conversations(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    captures = {
        scenario.path.stem: list(read_capture(BytesIO(read_conversation(scenario.text).capture())))
        for scenario in SCENARIOS
    }
    return compared(captures, tmp_path_factory.mktemp("conversations"))


def test_the_committed_plugin_is_up_to_date() -> None:
    assert PLUGIN.read_text("utf-8") == plugin(), "run `make docs`"


@pytest.mark.parametrize("lua", ["lua5.2", "lua5.4"])
def test_every_lua_version_of_wireshark_loads_it(lua: str) -> None:
    done = subprocess.run([lua, "-e", f"assert(loadfile('{PLUGIN}'))"], capture_output=True, text=True)

    assert done.stderr == ""


@pytest.mark.parametrize("lua", ["lua5.2", "lua5.4"])
def test_numbers_are_the_same_in_every_lua_version(lua: str) -> None:
    program = "\n".join(
        (
            "local n = dofile('vudissect/wireshark/lua/numbers.lua')",
            "print(n.decimal(4294967295, 4294967295), n.decimal(0, 1), n.decimal(1, 2147483648), n.decimal(7, 0))",
            "print(n.hex(1, 0), n.hex(1, 255), n.address(0, 0), n.size(0, 256), n.size(1056, 0), n.size(268435456, 0))",
            "print(n.decimal(n.part(4294967295, 4294967295, 9, 55)), n.decimal(n.minus(0, 5, 1, 4)))",
            "print(n.decimal(n.little.u64('\\1\\2\\3\\4\\5\\6\\7\\248', 1)))",
            "print(n.decimal(n.big.u64('\\248\\1\\2\\3\\4\\5\\6\\7', 1)))",
            "print(n.duration(21100), n.duration(1240000), n.duration(12000000000), n.duration(-5000))",
        )
    )

    said = subprocess.run([lua, "-e", program], capture_output=True, text=True, cwd=ROOT, check=True).stdout

    assert [line.split("\t") for line in said.splitlines()] == [
        ["18446744073709551615", "4294967296", "9223372036854775809", "7"],
        ["0x1", "0xff00000001", "0", "1T", "1056", "256M"],
        [str((1 << 55) - 1), "4294967295"],
        [str(0xF807060504030201)],
        [str(0xF801020304050607)],
        ["21.1us", "1.24ms", "12.0s", "-5us"],
    ]


@pytest.mark.parametrize("name", [path.stem for path in CAPTURES])
def test_a_real_session_reads_as_in_show_and_lint(name: str, real_sessions: Comparison) -> None:
    frames = real_sessions.frames[name]

    assert real_sessions.theirs.of(frames) == real_sessions.ours.of(frames)


@pytest.mark.parametrize("name", [scenario.path.stem for scenario in SCENARIOS])
def test_a_conversation_reads_as_in_show_and_lint(name: str, conversations: Comparison) -> None:
    frames = conversations.frames[name]

    assert conversations.theirs.of(frames) == conversations.ours.of(frames)


RINGS = """\
--- connection front-end=qemu-kvm back-end=vhost-user-blk
--- ring 0: avail 149, used 146, 3 pending, kick 1, call 0
... 5s
--- ring 0: avail 149, used 146, 3 pending for 5s, kick 1 unread for 4.999s, call 0; oldest: request 146: flush
--- ring 1: avail 8, used 8, 0 pending, kick 0, call 2 unread for 70s, completion unnoticed for 12.5ms
--- ring 2: avail 0, used 0, 0 pending, no kicks wanted, no calls wanted
--- ring 3:; fault: a chain of descriptors never ends, from 0
--- ring 4: kick 0; not read: it is not a file
"""


def test_what_was_seen_in_rings_reads_as_in_show(tmp_path: Path) -> None:
    capture = tmp_path / "rings.pcapng"
    capture.write_bytes(read_conversation(RINGS).capture())

    assert told(capture, tmp_path).lines == transcript(read(capture))


def written(talk: Conversation, folder: Path) -> Path:
    path = folder / "talk.pcapng"
    path.write_bytes(talk.capture())
    return path


def test_configuration_spaces_read_as_in_show(tmp_path: Path) -> None:
    talk = Conversation()
    for connection, details in enumerate(CONNECTIONS, 1):
        talk.event(RecordKind.CONNECTION_OPENED, connection=connection, **details)
        for offset in (0, 4, 32, 94):
            talk.front_end("SET_CONFIG", offset=offset, contents=bytes(range(9)), connection=connection)
    capture = written(talk, tmp_path)

    assert told(capture, tmp_path).lines == transcript(read(capture))


def test_what_was_seen_in_rings_can_be_filtered(tmp_path: Path) -> None:
    capture = tmp_path / "rings.pcapng"
    capture.write_bytes(read_conversation(RINGS).capture())

    rows = columns(capture, tmp_path, "frame.number", options=["-Y", "vhost_user.event.waited > 1000000000"])

    assert rows == [["3"]]


def test_a_device_that_is_guessed_is_marked(tmp_path: Path) -> None:
    talk = Conversation()
    for connection, details in enumerate(CONNECTIONS[:2], 1):
        talk.event(RecordKind.CONNECTION_OPENED, connection=connection, **details)
        talk.front_end("SET_OWNER", connection=connection)

    tree = tshark(written(talk, tmp_path), tmp_path, "-V", "-Y", "vhost_user.device")

    assert re.findall(r"\[device type: (.*)\]", tree) == ["blk (guessed)", "net"]


def test_late_answers_are_marked(tmp_path: Path) -> None:
    talk = Conversation()
    talk.open("qemu-kvm", "dpdk-testpmd")
    talk.front_end("GET_QUEUE_NUM")
    talk.back_end("GET_QUEUE_NUM", queues=4, after=7300 * MILLISECOND)
    talk.front_end("GET_VRING_BASE", index=0)
    talk.back_end("GET_VRING_BASE", index=0, after=900 * MILLISECOND)
    capture = written(talk, tmp_path)

    assert columns(capture, tmp_path, "frame.number", options=["-Y", "vhost_user.response_late"]) == [["3"]]
    assert told(capture, tmp_path).lines == transcript(read(capture))


def test_a_request_that_is_open_at_the_end_is_unanswered(tmp_path: Path) -> None:
    talk = Conversation()
    talk.ask("GET_QUEUE_NUM", queues=4)
    talk.front_end("SET_OWNER")
    talk.front_end("GET_FEATURES")
    capture = written(talk, tmp_path)

    unanswered = ["-2", "-Y", "vhost_user.unanswered"]
    assert columns(capture, tmp_path, "frame.number", options=unanswered) == [["4"]]
    assert "not answered by the end of the capture" in tshark(capture, tmp_path, *unanswered, "-V")


def told(capture: Path, home: Path) -> Reading:
    """The info column of each frame; frame and rule of all findings of the plugin, once all frames were seen."""
    names = ("frame.number", "_ws.col.Info", "vhost_user.rule")
    rows = columns(capture, home, *names, options=["-2", "-E", "aggregator=/s"])
    lines = [(int(frame), text) for frame, text, _ in rows]
    return Reading(lines, {(int(frame), rule) for frame, _, found in rows for rule in found.split()})


def ours(records: list[Record]) -> Reading:
    """The same of `show` and `lint`."""
    return Reading(transcript(records), findings(records))


def transcript(records: list[Record]) -> list[tuple[int, str]]:
    """The lines of `show`, for a session that does not look ahead, without time and direction."""
    lines = Transcript(Style(False))
    texts = (lines.line(event) for event in Session().events(records))
    found = [match for text in texts if (match := LINE.fullmatch(text))]
    return [(int(match[1]), (match[2] or "") + match[3]) for match in found]


def findings(records: list[Record]) -> set[tuple[int, str]]:
    """Frame and rule of the linter's findings, except at the end: the plugin is not called where a capture ends."""
    linter = Linter(Session())
    found = (finding for _, judged in linter.judge(records) for finding in judged)
    return {(finding.frame, finding.rule) for finding in found if finding.rule in RULES}


def test_one_pass_and_two_show_the_same(tmp_path: Path) -> None:
    """Except for what depends on a later frame."""
    capture = ROOT / "captures" / "qemu-7.2-net-iommu-dpdk-22.11.pcapng"
    later = ("vhost_user.response_in", "vhost_user.unanswered")

    once, twice = (
        [
            line.rstrip(",")
            for line in tshark(capture, tmp_path, *passes, "-T", "json").splitlines()
            if not any(f'"{name}"' in line for name in later)
        ]
        for passes in ((), ("-2",))
    )

    assert once == twice


def test_a_request_has_its_answer_and_the_answer_its_request(tmp_path: Path) -> None:
    capture = ROOT / "captures" / "qemu-7.2-fs-virtiofsd.pcapng"
    names = ("frame.number", "vhost_user.response_in", "vhost_user.response_to", "vhost_user.response_time")

    rows = columns(capture, tmp_path, *names, options=["-2", "-Y", "vhost_user.request == 1"])

    assert rows[:2] == [["2", "3", "", ""], ["3", "", "2", rows[1][3]]]
    assert 0 < float(rows[1][3]) < 1


@pytest.mark.parametrize(
    ("condition", "frames"),
    [
        ('vhost_user.vring.index == 1 && vhost_user.message == "SET_VRING_NUM"', ["30"]),
        ('vhost_user.fd.kind == "memfd"', ["24"]),
        ("vhost_user.protocol_features.reply_ack == 1", ["5", "6"]),
        ("vhost_user.memory.size == 0x10000000", ["24"]),
        ('vhost_user.event.how == "eof"', ["47"]),
    ],
)
def test_filters(condition: str, frames: list[str], tmp_path: Path) -> None:
    capture = ROOT / "captures" / "qemu-7.2-fs-virtiofsd.pcapng"

    assert columns(capture, tmp_path, "frame.number", options=["-Y", condition]) == [[frame] for frame in frames]


def test_the_flow_graph_names_sides_and_channel(tmp_path: Path) -> None:
    capture = ROOT / "captures" / "qemu-7.2-net-iommu-dpdk-22.11.pcapng"

    graph = tshark(capture, tmp_path, "-N", "n", "-q", "-z", "flow,any,network")

    assert all(name in graph for name in ("front-end", "back-end", "back-end.backend", "IOTLB_MSG"))


def test_the_filters_of_the_readme_exist() -> None:
    page, source = (ROOT / "wireshark" / "README.md").read_text("utf-8"), plugin()
    named = set(re.findall(r"vhost_user\.[\w.]*\w", page))
    others = {"vhost_user.lua", "vhost_user.dialect", "vhost_user.device"}

    assert {name for name in named - others if f'"{short(name)}"' not in source} == set()


def test_the_filters_of_the_readme_are_valid(tmp_path: Path) -> None:
    page = (ROOT / "wireshark" / "README.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "`vhost_user." in line]
    filters = [
        each for row in rows if "==" in row or ">" in row or "!=" in row for each in re.findall(r"`([^`]+)`", row)
    ]

    tshark(CAPTURES[0], tmp_path, "-Y", " || ".join(f"({each})" for each in filters))
