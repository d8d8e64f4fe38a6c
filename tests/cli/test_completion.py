"""Words that a shell completes: a real bash, and what zsh and fish ask and get."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
TIMEOUT = 30
SHELLS = ("bash", "zsh", "fish")
# A line with the word to complete at its end, and some of the words that are offered.
OFFERED = [
    ("vudissect ", {"show", "lint", "wireshark"}),
    ("vudissect sh", {"show"}),
    ("vudissect wireshark un", {"uninstall"}),
    ("vudissect show --no-", {"--no-times", "--no-findings"}),
    ("vudissect show --channel ", {"main", "backend", "gpu"}),
    ("vudissect show --format j", {"json"}),
    ("vudissect export --format p", {"parquet"}),
    ("vudissect show --dialect mst", {"mst-2015"}),
    ("vudissect show --device b", {"blk", "balloon"}),
    ("vudissect show -m SET_MEM", {"SET_MEM_TABLE"}),
    ("vudissect show -m set_mem", {"SET_MEM_TABLE"}),
    ("vudissect messages --dialect mst-2015 SET_M", {"SET_MEM_TABLE"}),
    ("vudissect rules VU-RPL-0", {"VU-RPL-01", "VU-RPL-02"}),
    ("vudissect rules enable-", {"enable-value"}),
    ("vudissect lint --ignore VU-VR", {"VU-VRG", "VU-VRG-01"}),
    # What comes before is wrong, or prints a page: neither is of interest while a word is completed.
    ("vudissect show --filter ri= --channel b", {"backend"}),
    ("vudissect show --filter help --channel b", {"backend"}),
    ("vuproxy --byte", {"--byte-order"}),
    ("vuproxy --byte-order l", {"little"}),
]
FILES = [
    "vudissect show ",
    "vudissect lint one.pcapng ",
    "vudissect state --at 3 ",
    "vudissect explain --capture ",
    "vudissect replay ",
    "vudissect compose ",
    "vudissect wireshark check ",
    "vudissect check --expect ",
    "vudissect export ",
    "vudissect export one.pcapng -o ",
    "vudissect query sql ",
    "vuproxy --listen ",
    "vuproxy --connect ",
    "vuproxy -w ",
]


def asked(shell: str, line: str) -> list[tuple[str, str]]:
    """What a shell asks where a line is completed, and the answer: the kind and the word of each offer."""
    program, *words = line.split(" ")
    variables = {
        # fish passes the words before the cursor and the one at it.
        "COMP_WORDS": " ".join([program, *words[:-1]]) if shell == "fish" else line,
        "COMP_CWORD": words[-1] if shell == "fish" else str(len(words)),
        f"_{program.upper()}_COMPLETE": f"{shell}_complete",
    }
    done = subprocess.run(
        [BIN / program], env=os.environ | variables, capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    assert done.stderr == ""
    if shell == "zsh":
        kinds, offers, _helps = (done.stdout.splitlines()[n::3] for n in range(3))
        return list(zip(kinds, offers, strict=True))
    pairs = (each.split("\t")[0].split(",", 1) for each in done.stdout.splitlines())
    return [(kind, word) for kind, word in pairs]


@pytest.mark.parametrize(("line", "wanted"), OFFERED)
def test_the_names_that_exist_are_offered(line: str, wanted: set[str]) -> None:
    offered = asked("bash", line)

    assert {kind for kind, _ in offered} == {"plain"}
    assert wanted <= {word for _, word in offered}
    start = line.rpartition(" ")[2].lower()
    assert all(word.lower().startswith(start) for _, word in offered)


@pytest.mark.parametrize("line", FILES)
def test_files_are_left_to_the_shell(line: str) -> None:
    assert [kind for kind, _ in asked("bash", line)] == ["file"]


@pytest.mark.parametrize("line", ["vudissect sh", "vudissect show --dialect m", "vudissect show ", "vuproxy --byte"])
def test_all_shells_are_offered_the_same(line: str) -> None:
    in_bash, in_zsh, in_fish = (asked(shell, line) for shell in SHELLS)

    assert in_bash == in_zsh == in_fish


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("program", ["vudissect", "vuproxy"])
def test_a_shell_gets_its_script(shell: str, program: str) -> None:
    variables = {f"_{program.upper()}_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [BIN / program], env=os.environ | variables, capture_output=True, text=True, timeout=TIMEOUT, check=True
    )

    assert f"{shell}_complete" in done.stdout
    assert program in done.stdout


class Bash:
    """An interactive bash on a terminal, with completion as the README sets it up."""

    def __init__(self, folder: Path) -> None:
        self.words = folder / "words"
        sources = [f'eval "$(_{name.upper()}_COMPLETE=bash_source {name})"' for name in ("vudissect", "vuproxy")]
        start = folder / "start"
        start.write_text("\n".join([*sources, "PS1=", "echo rea''dy", ""]))
        self.terminal, theirs = pty.openpty()
        self.shell = subprocess.Popen(
            ["bash", "--noprofile", "--rcfile", start, "-i"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb", "HISTFILE": "/dev/null"},
            start_new_session=True,
        )
        os.close(theirs)
        self._until(b"ready")

    def _until(self, end: bytes) -> None:
        seen = b""
        while end not in seen:
            assert select.select([self.terminal], [], [], TIMEOUT)[0], seen
            seen += os.read(self.terminal, 1 << 16)

    def completed(self, line: str) -> list[str]:
        """The words of a line after TAB was pressed at its end."""
        # ^A is the start of the line: its words are written to a file instead of being run.
        os.write(self.terminal, f"{line}\t\x01printf '%s\\n' \x05 >words; echo rea''dy\n".encode())
        self._until(b"ready")
        return self.words.read_text().splitlines()

    def close(self) -> None:
        self.shell.kill()
        self.shell.wait()
        os.close(self.terminal)


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Bash]:
    (tmp_path / "boot with spaces.pcapng").touch()
    shell = Bash(tmp_path)
    yield shell
    shell.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("vudissect sho", ["vudissect", "show"]),
        ("vudissect show boo", ["vudissect", "show", "boot with spaces.pcapng"]),
        ("vudissect show --dia", ["vudissect", "show", "--dialect"]),
        ("vudissect show --dialect mst", ["vudissect", "show", "--dialect", "mst-2015"]),
        ("vudissect rules enable-v", ["vudissect", "rules", "enable-value"]),
        ("vudissect messages SET_MEM", ["vudissect", "messages", "SET_MEM_TABLE"]),
        ("vuproxy -w boo", ["vuproxy", "-w", "boot with spaces.pcapng"]),
        ("vuproxy --byte-order li", ["vuproxy", "--byte-order", "little"]),
    ],
)
def test_bash_completes_as_a_user_types(bash: Bash, line: str, words: list[str]) -> None:
    assert bash.completed(line) == words
