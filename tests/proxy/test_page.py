"""`vuproxy --ui`: the page of a session while it is recorded."""

import http.client
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.proxy.harness import PATIENCE, Peer, eventually
from tests.proxy.test_program import FEATURES, REPLY, Program, converse, quiet
from tests.report.browser import Browser, browser


class Page(NamedTuple):
    """A running proxy, and where its page is."""

    program: Program
    host: str
    path: str

    def get(self, path: str, host: str = "") -> tuple[int, str]:
        """The status and the body of an answer."""
        client = http.client.HTTPConnection(self.host, timeout=30)
        client.request("GET", path, headers={"Host": host or self.host})
        answer = client.getresponse()
        return answer.status, answer.read().decode()


class Served(NamedTuple):
    """The same with two peers."""

    page: Page
    front: Peer
    back: Peer

    @property
    def program(self) -> Program:
        return self.page.program

    @property
    def path(self) -> str:
        return self.page.path

    @property
    def address(self) -> str:
        return f"http://{self.page.host}{self.page.path}"

    def get(self, path: str, host: str = "") -> tuple[int, str]:
        """The status and the body of an answer."""
        return self.page.get(path, host)


@contextmanager
def waiting(folder: Path) -> Iterator[Page]:
    """Before anybody connects."""
    said = folder / "said"
    with said.open("wb") as log, quiet(folder, "--ui", stderr=log.fileno()) as program:
        eventually(lambda: "page at " in said.read_text())
        match = re.search(r"page at http://(127\.0\.0\.1:\d+)(/\?token=\S{20,})", said.read_text())
        assert match is not None
        yield Page(program, *match.groups())


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    with waiting(folder) as page:
        yield Served(page, *page.program.connect())


def test_the_page_has_what_was_recorded_so_far(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        converse(served.front, served.back)
        eventually(lambda: '"count": 3' in served.get(served.path.replace("/?", "/count?"))[1])
        status, page = served.get(served.path)

    assert status == 200
    assert "3 frames so far, live" in page


@pytest.mark.parametrize(
    "wrong",
    [
        lambda served: served.get("/"),
        lambda served: served.get("/?token=wrong"),
        lambda served: served.get("/count?token="),
        lambda served: served.get(served.path, "site.example"),
    ],
    ids=["no token", "wrong token", "empty token", "another host"],
)
def test_nobody_else_sees_it(tmp_path: Path, wrong: Callable[[Served], tuple[int, str]]) -> None:
    with serving(tmp_path) as served:
        status, body = wrong(served)

    assert status == 403
    assert "frames" not in body


def test_there_is_only_one_page(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        assert served.get(served.path.replace("/?", "/etc/passwd?"))[0] == 404


def test_the_token_is_not_in_a_command_line(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        token = served.path.partition("=")[2]
        commands = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if os.access(file, os.R_OK)]

    assert not any(token.encode() in command for command in commands)


def test_the_relay_survives_its_server(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        children = Path(f"/proc/{served.program.process.pid}/task/{served.program.process.pid}/children")
        (server,) = map(int, children.read_text().split())
        os.kill(server, signal.SIGKILL)
        converse(served.front, served.back)
        served.program.process.terminate()
        assert served.program.process.wait(PATIENCE) == 0

    assert len(served.program.messages()) == 2


FRAMES = "ready.then((session) => session.rows.length)"
SELECTED = "ready.then((session) => session.showing).then(() => document.getElementById('frame').dataset.frame)"
NEWS = "document.getElementById('live').textContent"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def chromium(running: Browser) -> Browser:
    """Without the page of another test, which goes on asking."""
    running.open("about:blank")
    running.problems.clear()
    return running


def shown(served: Served, chromium: Browser, fragment: str = "") -> None:
    """The page of a conversation of three frames, in a browser."""
    converse(served.front, served.back)
    eventually(lambda: '"count": 3' in served.get(served.path.replace("/?", "/count?"))[1])
    chromium.open(f"{served.address}{fragment}")
    assert chromium.evaluate(FRAMES) == 3


def more(served: Served) -> None:
    """Two more frames."""
    served.front.send(FEATURES)
    served.back.receive()
    served.back.send(REPLY)
    served.front.receive()


def reloaded(chromium: Browser) -> None:
    """Wait until they are in the page."""
    while chromium.evaluate(FRAMES) < 5:
        chromium.wait_for_another_load()


@pytest.mark.peers
def test_a_browser_shows_what_comes_and_keeps_the_selected_frame(tmp_path: Path, chromium: Browser) -> None:
    with serving(tmp_path) as served:
        shown(served, chromium, "#frame=2")
        more(served)
        reloaded(chromium)

        assert chromium.evaluate(SELECTED) == "2"
        assert chromium.problems == []


@pytest.mark.peers
def test_a_page_that_is_opened_early_fills(tmp_path: Path, chromium: Browser) -> None:
    with waiting(tmp_path) as page:
        chromium.open(f"http://{page.host}{page.path}")
        assert chromium.evaluate(FRAMES) == 0

        converse(*page.program.connect())
        while chromium.evaluate(FRAMES) < 3:
            chromium.wait_for_another_load()
        assert chromium.problems == []


@pytest.mark.peers
def test_the_filter_is_still_set_after_a_reload(tmp_path: Path, chromium: Browser) -> None:
    with serving(tmp_path) as served:
        shown(served, chromium)
        chromium.press("f")
        chromium.type("kind=reply")
        chromium.evaluate("document.activeElement.blur()")
        more(served)
        reloaded(chromium)

        assert chromium.evaluate("document.getElementById('filter-text').value") == "kind=reply"
        assert chromium.evaluate("ready.then((session) => session.diagram.shown.length)") == 2


@pytest.mark.peers
def test_the_page_does_not_change_while_somebody_types(tmp_path: Path, chromium: Browser) -> None:
    with serving(tmp_path) as served:
        shown(served, chromium)
        chromium.press("f")
        more(served)
        eventually(lambda: "5 frames so far; new ones are shown when" in chromium.evaluate(NEWS))
        assert chromium.evaluate(FRAMES) == 3

        chromium.evaluate("document.activeElement.blur()")
        reloaded(chromium)


@pytest.mark.peers
def test_a_page_that_got_no_answer_asks_again(tmp_path: Path, chromium: Browser) -> None:
    with serving(tmp_path) as served:
        shown(served, chromium)
        chromium.evaluate("window.real = fetch, window.fetch = () => Promise.reject(new Error('no network')), 0")
        eventually(lambda: "does not answer" in chromium.evaluate(NEWS))
        more(served)
        chromium.evaluate("window.fetch = real, 0")

        reloaded(chromium)
