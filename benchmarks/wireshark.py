"""tshark with the plugin compared with tshark without it, in turns: a million messages, one line each, and start-up.

Without the plugin, tshark only shows that a message is an exported PDU. This is Wireshark at its fastest: even a Lua
dissector that does nothing costs it a third to half of its rate.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.programs import spent
from benchmarks.table import Row, compared, in_turns, milliseconds, per_second
from benchmarks.traffic import capture
from vudissect.wireshark.generate import plugin

ROUNDS = 3
MESSAGES = 1_000_000
STARTS = 15
FEW = 40

_NOTHING = 'local nothing = Proto("vhost_user", "nothing")\nfunction nothing.dissector() end\n'


def run() -> list[Row]:
    with _scripts(plugin=plugin(), nothing=_NOTHING) as (ours, nothing):
        rates = in_turns(ROUNDS, {name: _rate(MESSAGES, *script) for name, script in _tsharks(ours, nothing).items()})
        starts = in_turns(STARTS, {name: _seconds(FEW, *script) for name, script in _tsharks(ours, nothing).items()})
    with_plugin, without, idle = _tsharks(ours, nothing)
    return [
        compared("one line each", per_second, (with_plugin, rates[with_plugin]), (without, rates[without]), "0.5"),
        compared("one line each", per_second, (with_plugin, rates[with_plugin]), (idle, rates[idle]), "60,000/s"),
        compared(
            "start-up", milliseconds, (with_plugin, starts[with_plugin]), (without, starts[without]), "60 ms more"
        ),
    ]


def _tsharks(ours: str, nothing: str) -> dict[str, tuple[str, ...]]:
    return {
        "with the plugin": ("-X", f"lua_script:{ours}"),
        "tshark": (),
        "idle Lua": ("-X", f"lua_script:{nothing}"),
    }


def _rate(messages: int, *options: str) -> Callable[[], float]:
    return lambda: messages / _seconds(messages, *options)()


def _seconds(messages: int, *options: str) -> Callable[[], float]:
    return lambda: spent("tshark", *options, "-r", str(capture(messages))).seconds


@contextmanager
def _scripts(**sources: str) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{name}.lua") for name in sources]
        for path, source in zip(paths, sources.values(), strict=True):
            path.write_text(source)
        yield [os.fspath(path) for path in paths]
