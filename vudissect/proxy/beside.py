"""Runs a vuproxy in another process for the duration of a block."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from time import monotonic, sleep

from vudissect.host.python import python_module

_START_SECONDS = 20.0
_END_SECONDS = 20.0
_LOOK_EVERY_SECONDS = 0.01


class NotRecordedError(Exception):
    """The proxy could not start, or something was lost; the text is what it reported."""


@contextmanager
def recording(
    listen: str | PathLike[str], connect: str | PathLike[str], capture: str | PathLike[str]
) -> Iterator[None]:
    """Relay from the front-end, which connects to `listen`, to the back-end at `connect`, and record to `capture`.

    Within the block the proxy listens and the capture can be followed; after it the capture is complete.
    Raises `NotRecordedError` otherwise.
    """
    paths = [fspath(path) for path in (listen, connect, capture)]
    options = [word for pair in zip(("--listen", "--connect", "-w"), paths, strict=True) for word in pair]
    command = [*python_module("vudissect.cli.vuproxy"), *options, "-q"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as proxy:
        try:
            _wait_for(Path(paths[0]), Path(paths[2]), proxy)
            yield
        finally:
            proxy.terminate()
            try:
                _, errors = proxy.communicate(timeout=_END_SECONDS)
            except subprocess.TimeoutExpired:
                proxy.kill()
                _, errors = proxy.communicate()
    if proxy.returncode:
        raise NotRecordedError(errors.strip())


def _wait_for(socket: Path, capture: Path, proxy: subprocess.Popen[str]) -> None:
    deadline = monotonic() + _START_SECONDS
    while not (socket.is_socket() and capture.exists()) and proxy.poll() is None and monotonic() < deadline:
        sleep(_LOOK_EVERY_SECONDS)
    if proxy.poll() is not None:
        _, errors = proxy.communicate()
        raise NotRecordedError(errors.strip())
