"""`vuproxy --metrics` as a process."""

import http.client
import os
import signal
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.metrics.parser import families
from tests.proxy.harness import PATIENCE, eventually
from tests.proxy.test_program import Program, converse, quiet
from vudissect.cli.vuproxy import main


class Unix(http.client.HTTPConnection):
    """HTTP at a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._path))


def messages(text: str) -> float:
    """How many messages a text counts."""
    return float(sum(sample.value for sample in families(text)["vudissect_messages"].samples))


def get(connection: http.client.HTTPConnection, path: str = "/metrics") -> tuple[int, str, str]:
    """Status, type and text of an answer."""
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers.get("Content-Type", ""), text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_at_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with quiet(tmp_path, "--metrics", f"unix:{path}") as program:
        converse(*program.connect())
        eventually(lambda: messages(get(Unix(path))[2]) == 2)
        status, content_type, text = get(Unix(path))
        program.end()
    assert (status, content_type.partition(";")[0]) == (200, "application/openmetrics-text")
    assert 'socket="front.sock"' in text
    assert not path.exists()


def test_at_a_port(tmp_path: Path) -> None:
    port = free_port()
    with quiet(tmp_path, "--metrics", f"127.0.0.1:{port}") as program:
        converse(*program.connect())
        eventually(lambda: messages(get(http.client.HTTPConnection("127.0.0.1", port))[2]) == 2)
        assert get(http.client.HTTPConnection("127.0.0.1", port), "/other")[0] == 404
        status, _, errors = program.end()
    assert status == 0
    assert f"metrics at http://127.0.0.1:{port}/metrics" in errors


def test_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vuproxy.prom"
    with quiet(tmp_path, "--metrics", f"textfile:{path}") as program:
        converse(*program.connect())
        program.end()
    assert messages(path.read_text()) == 2
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_client_that_sends_nothing_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with quiet(tmp_path, "--metrics", f"unix:{path}") as program:
        converse(*program.connect())
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(str(path))
            eventually(lambda: messages(get(Unix(path))[2]) == 2)


def test_the_metrics_process_may_be_killed(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with quiet(tmp_path, "--metrics", f"unix:{path}") as program:
        front, back = program.connect()
        converse(front, back)
        for pid in children(program):
            os.kill(pid, signal.SIGKILL)
        converse(front, back)
        program.end()
        assert len(program.messages()) == 4


def children(program: Program) -> list[int]:
    pid = program.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("nowhere", "write unix:PATH, 127.0.0.1:PORT or textfile:PATH"),
        ("unix:", "the path is missing"),
        ("127.0.0.1:0", "write unix:PATH, 127.0.0.1:PORT or textfile:PATH"),
        ("0.0.0.0:9000", "only addresses of this machine, such as 127.0.0.1:9000, are served"),
        ("example:9000", "'example' is not an address"),
        ("textfile:/nowhere/at.prom", "/nowhere is not a folder that this user can write to"),
        ("unix:/nowhere/metrics.sock", "/nowhere/metrics.sock: cannot listen there: No such file or directory"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused(tmp_path: Path, place: str, text: str) -> None:
    options = ["--listen", str(tmp_path / "a"), "--connect", str(tmp_path / "b"), "-q", "-w", str(tmp_path / "c")]
    result = CliRunner().invoke(main, [*options, "--metrics", place])
    assert result.exit_code == 2
    assert text in result.output


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with quiet(tmp_path, "--metrics", f"127.0.0.1:{port}") as program:
            status, _, errors = program.outcome()
    assert status == 2
    assert f"cannot listen at http://127.0.0.1:{port}/metrics: Address already in use" in errors
