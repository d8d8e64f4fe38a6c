"""Compares the message table with the sources of programs: prints every name, number and bit that the table lacks.

    python tools/compare_upstream.py QEMU RUST_VMM DPDK CROSVM ...

Each argument is a checkout, or a single file. Every C or Rust source in it that defines vhost-user messages or protocol
features is read, such as QEMU's vhost-user.c, libvhost-user.h, vhost's message.rs, DPDK's vhost_user.h and crosvm's
message.rs. Exit status: 0 if the table has everything, 1 if not, 2 if there is nothing to read.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Channel
from vudissect.protocol.table import UPSTREAM, plain_name

NAMES = ("vhost-user.[ch]", "libvhost-user.h", "vhost_user.[ch]", "message.rs")

# `VHOST_USER_GET_FEATURES = 1,`, `#define VHOST_USER_PROTOCOL_F_MQ 0`, `GET_FEATURES = 1,`, `const MQ = 0x0000_0001;`
_C_MESSAGE = re.compile(r"^\s*VHOST_USER_([A-Z0-9_]+)\s*=\s*(\d+)\s*,", re.MULTILINE)
_C_BIT = re.compile(r"^\s*(?:#define\s+)?VHOST_USER_PROTOCOL_F_([A-Z0-9_]+)\s*=?\s*(\d+)", re.MULTILINE)
_RUST_ENUM = re.compile(r"enum\s+(\w+)[^{]*\{(.*?)^\}", re.MULTILINE | re.DOTALL)
_RUST_VALUE = re.compile(r"^\s*([A-Z][A-Z0-9_]+)\s*=\s*(\d+)\s*,", re.MULTILINE)
_RUST_BIT = re.compile(r"^\s*const\s+([A-Z][A-Z0-9_]+)\s*=\s*(0x[0-9a-fA-F_]+)\s*;", re.MULTILINE)
_RUST_BITS = re.compile(r"struct\s+VhostUserProtocolFeatures[^{]*\{(.*?)^\s*\}", re.MULTILINE | re.DOTALL)
_CHANNELS = {"BACKEND": Channel.BACKEND, "SLAVE": Channel.BACKEND, "GPU": Channel.GPU}
_NOT_MESSAGES = frozenset({"NONE", "MAX", "VERSION", "MAX_REQUEST", "NOOP", "ERR"})


class Fact(NamedTuple):
    """A message number or a protocol feature bit, as a source has it."""

    what: str
    channel: Channel | None
    name: str
    number: int
    place: str


def facts(path: Path) -> Iterator[Fact]:
    """What one source file defines."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text("utf-8", "replace"), flags=re.DOTALL)
    yield from _rust(text, str(path)) if path.suffix == ".rs" else _c(text, str(path))


def _c(text: str, place: str) -> Iterator[Fact]:
    for name, number in _C_BIT.findall(text):
        yield Fact("bit", None, name, int(number), place)
    on_main = {row.name for row in UPSTREAM.channel(Channel.MAIN)}
    for name, number in _C_MESSAGE.findall(text):
        prefix, _, rest = name.partition("_")
        if name in on_main or prefix not in _CHANNELS:
            if prefix != "PROTOCOL":
                yield Fact("message", Channel.MAIN, name, int(number), place)
        elif not rest.startswith("PROTOCOL_F_"):
            yield Fact("message", _CHANNELS[prefix], rest, int(number), place)


def _rust(text: str, place: str) -> Iterator[Fact]:
    channels = {"FrontendReq": Channel.MAIN, "MasterReq": Channel.MAIN}
    channels |= {"BackendReq": Channel.BACKEND, "SlaveReq": Channel.BACKEND, "GpuBackendReq": Channel.GPU}
    for enum, body in _RUST_ENUM.findall(text):
        if enum in channels:
            for name, number in _RUST_VALUE.findall(body):
                yield Fact("message", channels[enum], name.removeprefix("DEPRECATED__"), int(number), place)
    for body in _RUST_BITS.findall(text):
        for name, word in _RUST_BIT.findall(body):
            yield Fact("bit", None, name, int(word.replace("_", ""), 16).bit_length() - 1, place)


def is_known(fact: Fact) -> bool:
    """Whether upstream or a dialect has it: by this number, under this name or one that it had."""
    if fact.channel is None:
        tables = (PROTOCOL_FEATURES, *(dialect.protocol.protocol_features for dialect in DIALECTS))
        return any(bits.numbers.get(fact.name) == fact.number for bits in tables)
    if fact.name in _NOT_MESSAGES:
        return True
    names = {fact.name, plain_name(fact.name), f"{fact.name}_MSG", fact.name.removesuffix("_MSG")}
    for protocol in (UPSTREAM, *(dialect.protocol for dialect in DIALECTS)):
        row = protocol.request(fact.channel, fact.number)
        if row is not None and names & {row.name, *row.aliases}:
            return True
    return False


def missing(paths: list[Path]) -> tuple[list[Fact], int]:
    """What the table lacks, in order, and how many facts were read."""
    found = [fact for path in paths for fact in facts(path)]
    return sorted({fact for fact in found if not is_known(fact)}), len(found)


def sources(place: Path) -> list[Path]:
    """The files of a checkout that define messages, or the file itself."""
    if place.is_file():
        return [place]
    return sorted({path for name in NAMES for path in place.rglob(name) if path.is_file()})


def main(arguments: list[str]) -> int:
    """Compare; the exit status."""
    paths = [path for argument in arguments for path in sources(Path(argument))]
    lacking, read = missing(paths)
    if not read:
        print("usage: compare_upstream.py CHECKOUT...; no messages are defined there", file=sys.stderr)
        return 2
    for fact in lacking:
        where = f"{fact.channel.label} message" if fact.channel is not None else "protocol feature"
        print(f"{where} {fact.number} {fact.name} is not in the table ({fact.place})")
    print(f"{read} names in {len(paths)} files, {len(lacking)} of them not in the table")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
