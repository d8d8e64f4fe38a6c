"""The script in place of an emulator: it passes everything on, and the emulator starts whatever happens."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.proxy.harness import PATIENCE
from vudissect.cli.vuproxy import main
from vudissect.launch.wrapper import wrapper

# Prints its process, whether its parent is the test, and its words.
EMULATOR = """#!{python}
import os, sys
print(os.getpid(), *map(repr, sys.argv[1:]), sep="\\n")
"""
RECORDER = """#!/bin/sh
for each in "$@"; do echo "$each" >> {folder}/recorder; done
{does}
"""
VM = ["-name", "guest=vm1,debug-threads=on", "-device", "vhost-user-blk-pci,chardev=c,id=disk0"]
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


class Wrapped:
    """A wrapper in a folder of its own; the recorder is a script that notes its words, and then `does` something."""

    def __init__(self, folder: Path, does: str = "exit 2", config: str = "FOLDER={folder}\n") -> None:
        self.folder = folder
        emulator = executable(folder / "my emulator", EMULATOR.format(python=sys.executable))
        recorder = executable(folder / "vuproxy", RECORDER.format(folder=folder, does=does))
        (folder / "wrap.conf").write_text(config.format(folder=folder))
        self.script = executable(folder / "wrapped", wrapper(str(emulator), str(recorder), str(folder / "wrap.conf")))

    def run(self, words: Sequence[str], shell: str = "sh") -> tuple[list[str], str]:
        """What the emulator prints, and what is in the log; the emulator is the process that was started."""
        command = ["busybox", "sh"] if shell == "busybox" else [shell]
        started = subprocess.Popen(
            [*command, str(self.script), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        output, errors = started.communicate(timeout=PATIENCE)
        pid, *received = output.splitlines()
        assert int(pid) == started.pid
        return received, errors

    @property
    def asked(self) -> list[str]:
        """The words that the recorder got."""
        path = self.folder / "recorder"
        return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(
    "words",
    [
        "-version",
        "--help",
        "-machine help",
        "-device help",
        "-device vhost-user-blk-pci,help",
        "-S -no-user-config -nodefaults -nographic -machine none,accel=kvm:tcg -qmp unix:/m,server=on -daemonize",
        "-M none -qmp stdio -device vhost-user-blk-pci",
        "-name vm1 -drive file=vhost.img",
    ],
)
def test_what_only_asks_something_does_not_see_the_recorder(tmp_path: Path, words: str) -> None:
    wrapped = Wrapped(tmp_path)

    assert wrapped.run(words.split()) == (list(map(repr, words.split())), "")
    assert wrapped.asked == []


@pytest.mark.parametrize("shell", SHELLS)
def test_it_starts_what_the_recorder_prints(tmp_path: Path, shell: str) -> None:
    wrapped = Wrapped(
        tmp_path,
        f"echo \"'{tmp_path}/my emulator' changed 'two words' 'it'\\''s'\"",
        "FOLDER={folder}\nOPTIONS=-b filesize:8M *\n",
    )

    assert wrapped.run(VM, shell) == (["'changed'", "'two words'", '"it\'s"'], "")
    capture = f"{tmp_path}/vm1.pcapng"
    pid = wrapped.asked[2]
    options = ["run", "--beside", pid, "-w", capture, "-b", "filesize:8M", "*"]
    assert wrapped.asked == [*options, "--", f"{tmp_path}/my emulator", *VM]


AWKWARD = ["a b", "", "it's", "$HOME", "*", "back\\slash", "two\nlines", '"']


@pytest.mark.parametrize("shell", SHELLS)
def test_every_word_arrives_as_it_is(tmp_path: Path, shell: str) -> None:
    wrapped = Wrapped(tmp_path)

    assert wrapped.run([*VM, *AWKWARD], shell)[0] == list(map(repr, [*VM, *AWKWARD]))


@pytest.mark.parametrize(
    ("does", "config", "line"),
    [
        ("exit 2", "# nothing", "FOLDER= in {folder}/wrap.conf is not a folder to write to"),
        ("exit 2", "FOLDER=/nowhere\n", "FOLDER=/nowhere in {folder}/wrap.conf is not a folder to write to"),
        ("exit 2", "FOLDER {folder}\n", "{folder}/wrap.conf: not FOLDER=/PATH or OPTIONS=WORDS: FOLDER {folder}"),
        ("exit 2", "FOLDER={folder}\n(\n", "{folder}/wrap.conf: not FOLDER=/PATH or OPTIONS=WORDS: ("),
        ("exit 1", "FOLDER={folder}", "{folder}/vuproxy did not start"),
        ("kill -9 $$", "FOLDER={folder}", "{folder}/vuproxy did not start"),
    ],
)
def test_a_vm_starts_without_a_recorder(tmp_path: Path, does: str, config: str, line: str) -> None:
    wrapped = Wrapped(tmp_path, does, config)

    received, log = wrapped.run(VM)

    assert received == list(map(repr, VM))
    assert [each for each in log.splitlines() if "not recorded" in each] == [
        f"vuproxy: not recorded: {line.format(folder=tmp_path)}"
    ]


@pytest.mark.parametrize("missing", ["vuproxy", "wrap.conf"])
def test_a_vm_starts_where_something_is_missing(tmp_path: Path, missing: str) -> None:
    wrapped = Wrapped(tmp_path)
    (tmp_path / missing).unlink()

    received, log = wrapped.run(VM)

    assert received == list(map(repr, VM))
    assert log.startswith("vuproxy: not recorded: ")
    assert log.count("\n") == 1


def test_the_name_of_a_vm_leads_nowhere_else(tmp_path: Path) -> None:
    wrapped = Wrapped(tmp_path)
    wrapped.run(["-name", "guest=../../vm", *VM[2:]])

    assert f"{tmp_path}/my emulator.pcapng" in wrapped.asked


def test_inherited_descriptors_are_passed_on(tmp_path: Path) -> None:
    wrapped = Wrapped(tmp_path)
    reading, writing = os.pipe()
    os.write(writing, b"inherited")
    os.close(writing)
    executable(tmp_path / "my emulator", f"#!/bin/sh\ncat /proc/self/fd/{reading}\n")
    done = subprocess.run([str(wrapped.script), *VM], capture_output=True, timeout=PATIENCE, pass_fds=[reading])
    os.close(reading)

    assert done.stdout == b"inherited"


def test_the_command_prints_the_script(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["wrap", "/usr/bin/qemu-kvm", "--config", f"{tmp_path}/it's.conf"])

    assert result.exit_code == 0
    assert result.output.startswith("#!/bin/sh\n# qemu-kvm, with a recorder")
    checked = subprocess.run(["sh", "-n"], input=result.output, text=True, capture_output=True, timeout=PATIENCE)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("words", [["qemu-system-x86_64"], ["/usr/bin/qemu", "--config", "wrap.conf"]])
def test_the_command_needs_whole_paths(words: list[str]) -> None:
    result = CliRunner().invoke(main, ["wrap", *words])

    assert result.exit_code == 2
    assert f"{words[-1]}: " in result.output
    assert "must be a whole path, such as /" in result.output
