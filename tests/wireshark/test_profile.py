"""The profile is generated from the table, and Wireshark accepts it."""

import subprocess
from pathlib import Path

import pytest

from vudissect.capture.codec import CaptureEncoder
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wireshark.profile import BUTTONS, COLORING_RULES, COLUMNS, NAME, files

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "wireshark" / "vhost_user.lua"
CAPTURE = ROOT / "captures" / "qemu-7.2-fs-virtiofsd.pcapng"


class Tshark:
    """tshark with the profile and the plugin, and nothing else from the user who runs the tests."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for name, text in files().items():
            path = home / ".config" / "wireshark" / "profiles" / NAME / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(self, *arguments: str | Path, capture: Path = CAPTURE) -> str:
        command = ["tshark", "-X", f"lua_script:{PLUGIN}", "-C", NAME, "-r", capture, *arguments]
        environment = {"HOME": str(self.home), "PATH": "/usr/bin:/bin:/usr/local/bin", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        complaints = [line for line in done.stderr.splitlines() if not line.startswith("Running as user")]
        assert (done.returncode, complaints) == (0, [])
        return done.stdout


@pytest.fixture(scope="module")
def tshark(tmp_path_factory: pytest.TempPathFactory) -> Tshark:
    return Tshark(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("name", files())
def test_the_committed_profile_is_up_to_date(name: str) -> None:
    assert (ROOT / "wireshark" / "profiles" / NAME / name).read_text() == files()[name]


def test_it_loads_and_its_columns_appear(tshark: Tshark) -> None:
    _, question, answer = tshark.run("-T", "tabs", "-c", "3").splitlines()

    assert [column.strip() for column in question.split("\t")][2:] == [
        *("front-end", "→", "back-end", "GET_FEATURES", "", "")
    ]
    assert float(answer.split("\t")[6]) > 0
    assert len(COLUMNS) == 7


def test_the_sides_have_their_names_even_if_a_capture_has_lost_them(tshark: Tshark, tmp_path: Path) -> None:
    edited = tmp_path / "edited.pcapng"
    subprocess.run(["editcap", "-r", CAPTURE, edited, "2"], check=True, capture_output=True)

    assert "front-end → back-end" in tshark.run(capture=edited)


def test_every_filter_is_valid(tshark: Tshark, tmp_path: Path) -> None:
    """All at once: the error of tshark has the filter and marks the place."""
    empty = tmp_path / "empty.pcapng"
    empty.write_bytes(CaptureEncoder("", "", 12, 0).preamble())
    filters = " || ".join(f"({condition})" for _, condition, *_ in (*COLORING_RULES, *BUTTONS))

    assert tshark.run("-Y", filters, capture=empty) == ""


def test_every_packet_of_a_healthy_session_has_a_color_that_does_not_warn(tshark: Tshark) -> None:
    names = tshark.run("--color", "-T", "fields", "-e", "frame.coloring_rule.name").splitlines()

    assert {name.partition(":")[0] for name in names} == {"vhost-user"}
    assert not {rule.name for rule in COLORING_RULES[:4]} & set(names)


def test_every_kind_of_failure_is_matched() -> None:
    failed = next(rule for rule in COLORING_RULES if rule.name.endswith("request failed"))

    assert failed.filter == "vhost_user.result > 0 || vhost_user.device_state.error > 0"


def test_messages_of_one_purpose_are_in_one_group() -> None:
    rings = next(rule for rule in COLORING_RULES if rule.name.endswith("ring set-up"))
    wanted = {row.name for row in UPSTREAM.messages if row.purpose in (Purpose.SET_KICK, Purpose.SET_RING_SIZE)}

    assert all(f'"{name}"' in rings.filter for name in wanted)


def test_every_message_with_an_effect_is_in_a_group() -> None:
    filters = " ".join(rule.filter for rule in COLORING_RULES)
    main = UPSTREAM.channel(Channel.MAIN)

    plain = {row.name for row in main if f'"{row.name}"' not in filters}

    assert all(row.purpose is Purpose.NONE for row in main if row.name in plain)
