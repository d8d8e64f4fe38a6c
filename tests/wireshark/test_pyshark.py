"""docs/pyshark.md: its regression test passes on a good capture, and fails on a bad one."""

import os
import re
import signal
from asyncio.base_subprocess import BaseSubprocessTransport
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyshark
import pytest

import vudissect.scapy as vu

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "wireshark" / "vhost_user.lua"
PAGE = (ROOT / "docs" / "pyshark.md").read_text("utf-8")
(RECIPE,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = re.findall(r"^def (test_\w+)", RECIPE, re.MULTILINE)
CAPTURE = ROOT / "captures" / "qemu-7.2-blk-qsd-4-queues.pcapng"


@pytest.fixture(autouse=True)
def kill_without_a_race(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill as Python 3.14 does.

    pyshark kills a tshark that is about to end. asyncio before that version asks for the exit status first, so the
    thread that waits for the process finds it gone and reports 255, which pyshark takes for a crash (CPython issue
    87744).
    """

    def kill(transport: Any) -> None:
        transport._check_proc()
        os.kill(transport._proc.pid, signal.SIGKILL)

    monkeypatch.setattr(BaseSubprocessTransport, "kill", kill)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], None]]:
    """The functions of the page, for a user who has installed the plugin."""
    plugin = tmp_path / ".local" / "lib" / "wireshark" / "plugins" / PLUGIN.name
    plugin.parent.mkdir(parents=True)
    plugin.symlink_to(PLUGIN)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    functions: dict[str, Any] = {}
    exec(RECIPE, functions)
    return functions


@pytest.mark.parametrize("name", NAMES)
def test_a_good_capture_passes(recipe: dict[str, Callable[[], None]], name: str) -> None:
    Path("boot.pcapng").symlink_to(CAPTURE)

    recipe[name]()


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_capture_fails(recipe: dict[str, Callable[[], None]], name: str) -> None:
    packets = vu.rdpcap(str(CAPTURE))
    for packet in packets:
        if vu.GetProtocolFeaturesReply in packet:
            packet[vu.GetProtocolFeaturesReply].features.MQ = False
        if vu.SetVringNum in packet:
            packet[vu.SetVringNum].num = 2048
    slow = next(packet for packet in packets if vu.Ack in packet)
    slow[vu.VhostUserRecord].received += 2_000_000_000
    silent = next(packet for packet in packets if vu.GetFeaturesReply in packet)
    vu.wrpcap("boot.pcapng", [packet for packet in packets if packet is not silent])

    with pytest.raises(AssertionError):
        recipe[name]()


def test_the_plugin_can_be_named_instead_of_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    parameters = ["-X", f"lua_script:{PLUGIN}"]

    with pyshark.FileCapture(
        str(CAPTURE), custom_parameters=parameters, override_prefs={"vhost_user.device": "net"}
    ) as capture:
        packet = capture[2].vhost_user

    assert (packet.message, packet.kind, packet.device) == ("GET_FEATURES", "reply", "net")
