"""A real browser without a window, driven over its debugging pipe: Debian's chromium-headless-shell."""

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGE = "chromium-headless-shell"
_TIMEOUT = 60

_KEYS = {
    "Escape": 27,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Enter": 13,
    "Tab": 9,
    " ": 32,
}


class Browser:
    """One tab. `problems` has what it has reported: errors, exceptions, and what the policy of a page has refused."""

    def __init__(self, commands: int, answers: int) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._commands = commands
        self._answers = answers
        self._data = b""
        self._count = 0
        self._session = ""
        self._loads = 0
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Inspector", "Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, address: str) -> None:
        """Show a page, and wait until it is there."""
        before = self._loads
        answer = self._call("Page.navigate", url=address)
        assert "errorText" not in answer, answer
        self._wait_for_load(before)

    def wait_for_another_load(self) -> None:
        """Wait until the page has loaded itself again."""
        self._wait_for_load(self._loads)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of the promise that it is."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, as on a keyboard."""
        code = _KEYS.get(key, ord(key[0].upper()))
        text = {"Enter": "\r", "Tab": ""}.get(key, key if len(key) == 1 else "")
        pressed = {"key": key, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **pressed)
        self._call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def type(self, text: str) -> None:
        """Press several keys."""
        for key in text:
            self.press(key)

    def accessible(self) -> list[tuple[str, str]]:
        """What a screen reader has: the role and the name of each part."""
        self._call("Accessibility.enable")
        nodes = self._call("Accessibility.getFullAXTree")["nodes"]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]

    def scheme(self, name: str) -> None:
        """Prefer light or dark colours."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def size(self, width: int, height: int) -> None:
        """The size of the window."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)

    def _wait_for_load(self, before: int) -> None:
        while self._loads == before:
            self._event(self._message())

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        call = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            call["sessionId"] = self._session
        os.write(self._commands, json.dumps(call).encode() + b"\0")
        while (message := self._message()).get("id") != self._count:
            self._event(message)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._data:
            assert select.select([self._answers], [], [], _TIMEOUT)[0], "the browser says nothing"
            received = os.read(self._answers, 1 << 20)
            assert received, "the browser has ended"
            self._data += received
        text, _, self._data = self._data.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def _event(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._loads += 1
        elif method == "Inspector.targetCrashed":
            raise AssertionError("the page has crashed")
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(parameters["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.problems.append(str(parameters["args"]))
        elif method == "Log.entryAdded":
            self.problems.append(parameters["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.problems.append(f"dialog: {parameters['message']}")
            self._call("Page.handleJavaScriptDialog", accept=True)


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A running browser, with its profile in the folder."""
    program = shutil.which(PACKAGE)
    assert program, f"{PACKAGE} is not installed; on Debian: apt install {PACKAGE}"
    their_commands, commands = os.pipe()
    answers, their_answers = os.pipe()
    # It reads from 3 and writes to 4. A sandbox of its own needs namespaces, which a container may not permit.
    # A container may also have little shared memory, and a page that gets none crashes.
    options = ("--no-sandbox", "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={folder}")
    command = [program, *options]
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" 3</dev/fd/{their_commands} 4>/dev/fd/{their_answers}', "sh", *command],
        pass_fds=(their_commands, their_answers),
        stderr=(folder / "log").open("w"),
    )
    os.close(their_commands)
    os.close(their_answers)
    try:
        yield Browser(commands, answers)
    finally:
        process.kill()
        process.wait()
        os.close(commands)
        os.close(answers)
