"""The commands as a user calls them: what they print, and how they say that they cannot."""

import ast
import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.program import TIMEOUT, run, run_apart
from tests.conversation import Conversation, eventfd, memfd
from vudissect.capture.record import RecordKind
from vudissect.protocol.features import VIRTIO_FEATURES


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Two rings of one memory region, told in full and then left alone: nothing is wrong with it."""
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_OPENED, front_end_command="qemu", back_end_command="disk")
    talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1"))
    talk.front_end("SET_OWNER")
    talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1"))
    region = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(size=1 << 20),))
    for ring in (0, 1):
        place = 0x7F00_0000_0000 + 0x1_0000 * ring
        talk.front_end("SET_VRING_NUM", index=ring, num=256)
        talk.front_end("SET_VRING_BASE", index=ring)
        talk.front_end("SET_VRING_ADDR", index=ring, desc=place, avail=place + 0x2000, used=place + 0x4000)
        talk.front_end("SET_VRING_KICK", index=ring, descriptors=(eventfd(ring),))
    path = tmp_path / "talk.pcapng"
    path.write_bytes(talk.capture())
    return path


def messages(result: subprocess.CompletedProcess[bytes]) -> list[str]:
    """The message names of a transcript, in order."""
    lines = (line.split() for line in result.stdout.decode().splitlines())
    return [line[3] for line in lines if line[0].isdecimal()]


class TestShow:
    def test_a_capture_is_explained(self, capture: Path) -> None:
        result = run("show", str(capture))

        assert result.returncode == 0
        assert messages(result)[1:3] == ["GET_FEATURES", "GET_FEATURES"]
        assert b"SET_VRING_NUM ring 1 num 256" in result.stdout

    def test_from_standard_input_too(self, capture: Path) -> None:
        assert run("show", "-", stdin=capture.read_bytes()).stdout == run("show", str(capture)).stdout

    def test_and_compressed(self, capture: Path, tmp_path: Path) -> None:
        packed = tmp_path / "talk.pcapng.gz"
        packed.write_bytes(gzip.compress(capture.read_bytes()))

        assert run("show", str(packed)).stdout == run("show", str(capture)).stdout

    def test_json_is_one_object_a_line(self, capture: Path) -> None:
        result = run("show", "--json", str(capture))

        assert [json.loads(line)["frame"] for line in result.stdout.splitlines()] == list(range(1, 15))

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["-m", "SET_VRING_[NK]*"], ["SET_VRING_NUM", "SET_VRING_KICK"] * 2),
            (["-m", "vhost_user_set_vring_num"], ["SET_VRING_NUM"] * 2),
            (["-m", "1"], ["GET_FEATURES"] * 2),
            (["--ring", "1"], ["SET_VRING_NUM", "SET_VRING_BASE", "SET_VRING_ADDR", "SET_VRING_KICK"]),
            (["--from", "back-end"], ["GET_FEATURES"]),
            (["--channel", "gpu"], []),
        ],
    )
    def test_what_is_shown_can_be_narrowed(self, capture: Path, options: list[str], expected: list[str]) -> None:
        assert messages(run("show", *options, str(capture))) == expected

    def test_a_capture_that_was_cut_off_is_shown_as_far_as_it_goes(self, capture: Path) -> None:
        capture.write_bytes(capture.read_bytes()[:-10])

        result = run("show", str(capture))

        assert result.returncode == 1
        assert len(messages(result)) == 13
        assert result.stderr.count(b"\n") == 1

    def test_a_growing_file_can_be_followed(self, capture: Path) -> None:
        whole = capture.read_bytes()
        capture.write_bytes(whole[:-200])
        command = [sys.executable, "-c", "from vudissect.cli.main import main; main()", "show", "-f", str(capture)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            with capture.open("ab") as file:
                file.write(whole[-200:])
            rest = [process.stdout.readline() for _ in range(13)]
            process.send_signal(signal.SIGINT)
            process.wait(TIMEOUT)

        assert "connection 1" in first
        assert "SET_VRING_KICK ring 1" in rest[-1]

    def test_a_reader_that_leaves_early_is_no_error(self, capture: Path) -> None:
        command = f"{sys.executable} -m vudissect.cli show {capture} | true"

        result = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], capture_output=True, timeout=TIMEOUT, check=False
        )

        assert (result.returncode, result.stderr) == (0, b"")

    @pytest.mark.parametrize(
        ("options", "environment", "colour"),
        [
            ([], {}, False),
            ([], {"FORCE_COLOR": "1"}, True),
            ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
            (["--color=always"], {"NO_COLOR": "1"}, True),
            (["--color=never"], {"FORCE_COLOR": "1"}, False),
        ],
    )
    def test_colour_in_a_pipe(
        self, capture: Path, options: list[str], environment: dict[str, str], colour: bool
    ) -> None:
        shown = run("show", str(capture), *options, stdin=b"", **environment).stdout

        assert (b"\x1b[" in shown) is colour


class TestRefusals:
    """One line that names the thing, exit status 2, and never a traceback."""

    def refused(self, result: subprocess.CompletedProcess[bytes], *words: str) -> None:
        text = result.stderr.decode()
        assert result.returncode == 2
        assert "Traceback" not in text
        for word in words:
            assert word in text

    def test_a_missing_file(self, tmp_path: Path) -> None:
        result = run("show", str(tmp_path / "none.pcapng"))

        self.refused(result, "none.pcapng", "No such file")
        assert result.stderr.count(b"\n") == 1

    def test_a_folder(self, tmp_path: Path) -> None:
        self.refused(run("show", str(tmp_path)), str(tmp_path), "directory")

    @pytest.mark.parametrize(
        ("contents", "word"),
        [
            (b"", "empty"),
            (b"#!/bin/sh\nexit\n", "not a pcapng capture"),
            (b"\xd4\xc3\xb2\xa1" + bytes(20), "editcap"),
            (b"\x1f\x8b" + bytes(30), "talk"),
            (b"\x28\xb5\x2f\xfd" + bytes(30), "talk"),
        ],
    )
    def test_a_file_that_is_no_capture(self, tmp_path: Path, contents: bytes, word: str) -> None:
        path = tmp_path / "talk"
        path.write_bytes(contents)

        result = run("show", str(path))

        self.refused(result, word)
        assert result.stderr.count(b"\n") == 1

    def test_damage_in_the_middle(self, capture: Path) -> None:
        data = bytearray(capture.read_bytes())
        data[-400:-100] = b"\xff" * 300

        capture.write_bytes(data)
        result = run("show", str(capture))

        self.refused(result, "damaged")
        assert messages(result)

    def test_an_unknown_device_type(self, capture: Path) -> None:
        self.refused(run("show", "--device", "toaster", str(capture)), "toaster", "blk")

    @pytest.mark.parametrize("options", [["--channel", "side"], ["--ring", "x"], ["--no-such"]])
    def test_a_bad_option(self, capture: Path, options: list[str]) -> None:
        self.refused(run("show", *options, str(capture)), options[-1])

    def test_an_unknown_command(self) -> None:
        self.refused(run("explode"), "explode")

    def test_an_unknown_message_names_the_nearest(self) -> None:
        self.refused(run("messages", "SET_MEMTABLE"), "SET_MEM_TABLE")

    def test_an_output_that_is_full(self, capture: Path) -> None:
        command = f"{sys.executable} -m vudissect.cli show {capture} > /dev/full"

        result = subprocess.run(["bash", "-c", command], capture_output=True, timeout=TIMEOUT, check=False)

        self.refused(result, "No space left")


HEALTHY = Path(__file__).parents[2] / "captures" / "qemu-10.0-blk-qsd.pcapng"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A front-end that enables a ring with 7, which breaks VU-VRG-03."""
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    path = tmp_path / "broken.pcapng"
    path.write_bytes(talk.capture())
    return path


class TestLint:
    def test_a_broken_rule_is_named_with_its_culprit(self, broken: Path) -> None:
        result = run("lint", str(broken))

        assert result.returncode == 1
        first = result.stdout.decode().splitlines()[0]
        assert first.startswith("error VU-VRG-03 #1 front-end: ring 3 is enabled with 7")

    def test_a_healthy_capture_passes(self, capture: Path) -> None:
        result = run("lint", "--strict", str(capture))

        assert result.returncode == 0, result.stdout.decode()

    def test_a_rule_can_be_ignored(self, broken: Path) -> None:
        assert b"VU-VRG-03" not in run("lint", "--ignore", "vu-vrg-03", str(broken)).stdout

    def test_json_is_one_object_a_finding(self, broken: Path) -> None:
        lines = [json.loads(line) for line in run("lint", "--json", str(broken)).stdout.splitlines()]

        (finding,) = [line for line in lines if line["rule"] == "VU-VRG-03"]
        assert (finding["severity"], finding["blame"], finding["frame"]) == ("error", "front-end", 1)
        assert list(finding)[:7] == ["rule", "severity", "blame", "frame", "frames", "message", "source"]

    def test_junit_has_a_failure_for_each_error(self, broken: Path, tmp_path: Path) -> None:
        report = tmp_path / "junit.xml"

        run("lint", "--junit", str(report), str(broken))

        (case,) = [case for case in ElementTree.parse(report).iter("testcase") if case.get("name") == "VU-VRG-03 #1"]
        assert case.find("failure") is not None

    def test_each_of_several_captures_is_named(self, broken: Path, capture: Path) -> None:
        lines = run("lint", str(broken), str(capture)).stdout.decode().splitlines()

        assert [line for line in lines if line.endswith(".pcapng:")] == [f"{broken}:", f"{capture}:"]

    def test_a_file_that_cannot_be_read_does_not_keep_the_others_from_being_judged(
        self, broken: Path, tmp_path: Path
    ) -> None:
        text = tmp_path / "readme.txt"
        text.write_text("no capture")

        result = run("lint", str(text), str(broken))

        assert result.returncode == 2
        assert b"VU-VRG-03" in result.stdout
        assert result.stderr.count(b"\n") == 1

    def test_of_a_directory_all_captures_are_judged(self, broken: Path, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("no capture")
        below = tmp_path / "below"
        below.mkdir()
        (below / "other.pcapng").write_bytes(broken.read_bytes())

        lines = run("lint", str(tmp_path)).stdout.decode().splitlines()

        assert [line for line in lines if line.endswith(":")] == [f"{below / 'other.pcapng'}:", f"{broken}:"]

    def test_a_directory_without_captures(self, tmp_path: Path) -> None:
        result = run("lint", str(tmp_path))

        assert result.returncode == 2
        assert result.stderr.decode() == (
            f"vudissect: {tmp_path}: there is no capture in this directory (*.pcapng, *.pcapng.gz, *.pcapng.zst)\n"
        )

    def test_the_same_of_several_rings_is_one_line(self, tmp_path: Path) -> None:
        talk = Conversation()
        for index in range(9):
            talk.front_end("SET_VRING_ENABLE", index=index, num=7)
        path = tmp_path / "rings.pcapng"
        path.write_bytes(talk.capture())

        lines = run("lint", str(path)).stdout.decode().splitlines()

        (line,) = [line for line in lines if "VU-VRG-03" in line]
        assert line.endswith("only 0 and 1 are defined (again in #2, #3, #4, #5, #6, #7 and 2 more)")
        assert lines[-1] == "9 messages: 9 errors"

    def test_what_healthy_sessions_have_too_is_only_counted(self) -> None:
        lines = run("lint", str(HEALTHY)).stdout.decode().splitlines()

        assert "that healthy sessions also have (VU-" in lines[-2]
        assert not any(line.startswith("info VU-") for line in lines)

    def test_everything_can_be_listed(self) -> None:
        lines = run("lint", "--severity", "info", str(HEALTHY)).stdout.decode().splitlines()

        assert any(line.startswith("info VU-") for line in lines)
        assert not any("healthy sessions" in line for line in lines)

    def test_the_least_severity(self, broken: Path) -> None:
        lines = run("lint", "--severity", "warning", str(broken)).stdout.decode().splitlines()

        assert lines
        assert not any(line.startswith(("info", "compat")) for line in lines)

    def test_the_finding_stands_below_its_line(self, broken: Path) -> None:
        line, finding = run("show", str(broken)).stdout.decode().splitlines()[:2]

        assert line.endswith("SET_VRING_ENABLE ring 3 num 7")
        assert finding.strip() == "! error VU-VRG-03 front-end: ring 3 is enabled with 7; only 0 and 1 are defined"

    def test_and_in_the_json_line(self, broken: Path) -> None:
        assert "VU-VRG-03" in json.loads(run("show", "--json", str(broken)).stdout)["findings"]

    def test_an_unknown_rule_names_the_nearest(self, broken: Path) -> None:
        result = run("lint", "--ignore", "VU-VRG-O3", str(broken))

        assert (result.returncode, b"VU-VRG-03" in result.stderr) == (2, True)


class TestRules:
    def test_a_rule_can_be_looked_up(self) -> None:
        text = run("rules", "vu-vrg-03").stdout.decode()

        assert text.startswith("VU-VRG-03 enable-value\n")
        assert "! error VU-VRG-03 front-end: ring 0 is enabled with 7" in text

    def test_a_family_can_be_listed(self) -> None:
        lines = run("rules", "VU-VRG").stdout.decode().splitlines()

        assert lines
        assert all(line.startswith("VU-VRG-") for line in lines)

    def test_an_unknown_rule_names_the_nearest(self) -> None:
        result = run("rules", "VU-VRG-033")

        assert (result.returncode, b"VU-VRG-03" in result.stderr) == (2, True)


class TestState:
    def test_the_state_at_a_frame_knows_only_what_was_said_until_then(self, capture: Path) -> None:
        early = run("state", str(capture), "--at", "3").stdout.decode()
        late = run("state", str(capture)).stdout.decode()

        assert "  ring 0" not in early
        assert "  ring 1: started, enabled; size 256" in late

    def test_a_question_without_an_answer_is_waiting(self, capture: Path) -> None:
        assert b"waiting on the main channel: GET_FEATURES (#2)" in run("state", str(capture), "--at", "2").stdout

    def test_before_a_frame_is_after_the_one_before_it(self, capture: Path) -> None:
        before = run("state", str(capture), "--before", "6").stdout

        assert before == run("state", str(capture), "--at", "5").stdout
        assert before != run("state", str(capture), "--at", "6").stdout

    def test_before_the_first_frame_nothing_is_open(self, capture: Path) -> None:
        assert run("state", str(capture), "--before", "1").stdout == b"no connection is open before the first frame\n"

    def test_after_is_another_word_for_at(self, capture: Path) -> None:
        assert run("state", str(capture), "--after", "9").stdout == run("state", str(capture), "--at", "9").stdout

    def test_a_filter_stands_for_the_first_frame_that_matches(self, capture: Path) -> None:
        matching = run("state", str(capture), "--filter", "SET_VRING_KICK and ring=0").stdout

        assert matching == run("state", str(capture), "--at", "10").stdout

    def test_a_filter_can_ask_about_findings(self, broken: Path) -> None:
        assert b"  ring 3: " in run("state", str(broken), "-Y", "rule=VU-VRG-03").stdout

    def test_json_has_an_object_for_each_connection(self, capture: Path) -> None:
        (line,) = run("state", "--json", str(capture), "--before", "10").stdout.splitlines()

        state = json.loads(line)
        assert (state["connection"], state["frame"], state["rings"][0]["size"]) == (1, 9, 256)

    @pytest.mark.parametrize("option", ["--at", "--after", "--before"])
    def test_a_frame_that_does_not_exist_is_refused(self, capture: Path, option: str) -> None:
        result = run("state", str(capture), option, "15")

        assert (result.returncode, result.stdout) == (2, b"")
        assert result.stderr.decode() == f"vudissect: {capture}: no frame 15, the last one is 14\n"

    def test_a_filter_that_nothing_matches_is_no_point_in_time(self, capture: Path) -> None:
        result = run("state", str(capture), "-Y", "SET_LOG_BASE")

        assert (result.returncode, result.stdout) == (2, b"")
        assert ": no message matches SET_LOG_BASE; messages seen: " in result.stderr.decode()

    @pytest.mark.parametrize("options", [["--at", "3", "--before", "3"], ["--before", "3", "-Y", "SET_OWNER"]])
    def test_two_points_are_refused(self, capture: Path, options: list[str]) -> None:
        result = run("state", str(capture), *options)

        assert (result.returncode, result.stdout, result.stderr.count(b"\n")) == (2, b"", 1)


class TestMessages:
    def test_the_table_lists_every_channel(self) -> None:
        text = run("messages").stdout.decode()

        assert [line for line in text.splitlines() if "channel" in line] == [
            "main channel, requests of the front-end:",
            "backend channel, requests of the back-end:",
            "gpu channel, requests of the back-end:",
        ]

    def test_a_message_is_explained_with_its_fields(self) -> None:
        text = run("messages", "VHOST_USER_SET_SLAVE_REQ_FD").stdout.decode()

        assert "SET_BACKEND_REQ_FD (main channel, 21" in text
        assert "opens:        the backend channel" in text

    def test_a_number_means_one_message_on_each_channel(self) -> None:
        text = run("messages", "8").stdout.decode()

        assert [line.split(" (")[0] for line in text.splitlines() if " channel, 8" in line][:3] == [
            "SET_VRING_NUM",
            "SHARED_OBJECT_LOOKUP",
            "UPDATE",
        ]

    def test_the_page_of_the_documentation_is_fresh(self) -> None:
        page = Path(__file__).parents[2] / "docs" / "messages.md"

        assert run("messages", "--markdown").stdout.decode() == page.read_text(), "stale: run make docs"


class TestDemo:
    def test_it_shows_a_whole_session_and_leaves_nothing_behind(self, tmp_path: Path) -> None:
        result = run_apart("demo", TMPDIR=str(tmp_path))

        assert result.returncode == 0, result.stderr.decode()
        names = messages(result)
        assert names.index("SET_BACKEND_REQ_FD") < names.index("SET_MEM_TABLE") < names.index("GET_VRING_BASE")
        assert b"backend: CONFIG_CHANGE_MSG" in result.stdout
        assert b"MALFORMED" not in result.stdout
        assert b"never answered" not in result.stdout
        assert list(tmp_path.iterdir()) == []

    def test_the_capture_can_be_kept(self, tmp_path: Path) -> None:
        kept = tmp_path / "demo.pcapng"

        demo = run_apart("demo", "-w", str(kept))

        assert messages(run("show", str(kept))) == messages(demo)


def test_help_and_version_come_quickly_and_without_the_heavy_parts() -> None:
    script = (
        "import sys\nfrom vudissect.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('vudissect.')), file=sys.stderr)"
    )

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=TIMEOUT, check=True)

    loaded = {name.split(".")[1] for name in ast.literal_eval(result.stderr)}
    assert loaded <= {"cli", "capture", "host", "render"}
