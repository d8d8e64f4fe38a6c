"""The public interface is small, lazy and documented, and its page is true."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import vudissect
from tests.proxy.harness import Listener, call, eventually, message

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "api.md").read_text()
CAPTURE = str(ROOT / "captures" / "qemu-10.0-blk-qsd-4-queues.pcapng")
LATENCIES, LIVE, IN_A_TEST = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", vudissect.__all__)
def test_every_name_exists_and_is_on_the_page(name: str) -> None:
    assert getattr(vudissect, name) is not None
    assert re.search(rf"`{name}\b", PAGE)


@pytest.mark.parametrize("name", [name for name in vudissect.__all__ if not name.isupper()])
def test_every_name_is_documented(name: str) -> None:
    assert getattr(vudissect, name).__doc__


def test_an_unknown_name_raises_the_usual_error() -> None:
    with pytest.raises(AttributeError, match="module 'vudissect' has no attribute 'nothing'"):
        vudissect.nothing  # noqa: B018


def test_importing_the_package_imports_none_of_its_modules() -> None:
    code = "import sys, vudissect; print([name for name in sys.modules if name.startswith('vudissect.')])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "[]\n"


def test_the_latencies_program(capsys: pytest.CaptureFixture[str]) -> None:
    exec(LATENCIES.replace("boot.pcapng", CAPTURE), {})

    assert re.search(r"^GET_FEATURES +\d+ answers, median +\d+\.\d+ ms", capsys.readouterr().out, re.MULTILINE)


def test_the_live_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    listener = Listener("back.sock")

    def talk() -> None:
        eventually(lambda: Path("front.sock").is_socket())
        front = call("front.sock")
        back = listener.accept()
        front.send(message("SET_FEATURES", (1 << 32).to_bytes(8, "little")))
        back.receive()
        # The program under test ends the proxy.
        front.at_end()

    peers = threading.Thread(target=talk)
    peers.start()
    exec(LIVE, {})
    peers.join()
    listener.close()

    assert capsys.readouterr().out == "the front-end acknowledges VERSION_1\n"


def test_the_test_program() -> None:
    names: dict[str, object] = {}
    exec(IN_A_TEST.replace("boot.pcapng", CAPTURE), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]

    assert len(tests) == 2
    for test in tests:
        assert callable(test)
        test()
