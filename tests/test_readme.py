"""The examples in the README work."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", [block for block in blocks("") if block.startswith("$ ")], ids=lambda b: b.split()[2])
def test_the_output_of_commands_is_as_shown(block: str) -> None:
    command, _, text = block.partition("\n")

    shown = subprocess.run(
        [sys.executable, "-m", "vudissect.cli", *shlex.split(command)[2:]], capture_output=True, text=True, cwd=ROOT
    )

    assert text == shown.stdout


def test_the_library_example_works(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = blocks("python")

    exec(code.replace("boot.pcapng", "captures/dpdk-22.11-virtio-user-vhost.pcapng"), {})

    # DPDK takes longer than the example's tenth of a second to populate the memory.
    assert "SET_MEM_TABLE" in capsys.readouterr().out


def test_every_package_is_in_the_list_of_folders() -> None:
    listed = set(re.findall(r"^\| `(vudissect/\w+)/` \|", README, re.MULTILINE))

    assert listed == {f"vudissect/{each.parent.name}" for each in (ROOT / "vudissect").glob("*/__init__.py")}
