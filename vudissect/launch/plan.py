"""What to change in a command line so that its vhost-user sockets lead through a recorder. Values in, values out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from vudissect.host.address import Address, AddressError, Role, parse_address
from vudissect.launch import daemons, machines, qemu
from vudissect.launch.place import LeftAlone, Socket
from vudissect.protocol.model import Side

PLACE = "{socket}"
"""A word of a command line that is replaced by the path of a socket."""


@dataclass(frozen=True, slots=True)
class Move:
    """A socket that was moved: the command uses `private` in its place, and its peer still uses `outside`."""

    socket: Socket
    private: Address
    outside: Address


@dataclass(frozen=True, slots=True)
class Plan:
    """The changed command line, the sockets that were moved, those that were not, and files to write, by path."""

    words: list[str]
    moves: tuple[Move, ...] = ()
    left: tuple[LeftAlone, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def fill(words: list[str], folder: str, address: str, *, listens: bool) -> Plan:
    """Replace each `{socket}` in a command line; `listens`: the command is a back-end that listens there.

    `address` is what its peer uses; raises `AddressError`.
    """
    side = Side.BACK_END if listens else Side.FRONT_END
    commands, peers = (Role.CONNECT, Role.LISTEN) if listens else (Role.LISTEN, Role.CONNECT)
    private = f"{folder}/0"
    index = next(index for index, word in enumerate(words) if PLACE in word)
    socket = Socket("socket", "", side, listens, address, index, lambda word, path: word.replace(PLACE, path))
    move = Move(socket, parse_address(commands, private), parse_address(peers, address))
    return Plan([word.replace(PLACE, private) for word in words], (move,))


Finder = Callable[[list[str], Mapping[str, str]], Iterator[Socket | LeftAlone]]
_FINDERS: tuple[Finder, ...] = (qemu.find, daemons.find, machines.find)


def config_files(words: list[str]) -> list[str]:
    """The configuration files that a command line names: `plan` needs what is in them."""
    return qemu.config_files(words)


def plan(words: list[str], folder: str, files: Mapping[str, str]) -> Plan:
    """Move every vhost-user socket of a command line into `folder`; `files` are the `config_files`, by path."""
    found = [each for finder in _FINDERS for each in finder(words, files)]
    left = [each for each in found if isinstance(each, LeftAlone)]
    moves: list[Move] = []
    changed, contents, names = list(words), dict(files), set[str]()
    for socket in found:
        if isinstance(socket, LeftAlone):
            continue
        name = _unused(socket.name, names)
        private = f"{folder}/{len(moves)}"
        commands, peers = (Role.CONNECT, Role.LISTEN) if socket.listens else (Role.LISTEN, Role.CONNECT)
        try:
            move = Move(socket.named(name), parse_address(commands, private), parse_address(peers, socket.address))
        except AddressError as error:
            left.append(LeftAlone(name, str(error)))
            continue
        names.add(name)
        moves.append(move)
        if socket.file:
            contents[socket.file] = socket.replace(contents[socket.file], private)
        else:
            changed[socket.index] = socket.replace(changed[socket.index], private)
    written = _move_files(changed, folder, {path: text for path, text in contents.items() if text != files[path]})
    return Plan(changed, tuple(moves), tuple(left), written)


def _move_files(words: list[str], folder: str, files: Mapping[str, str]) -> dict[str, str]:
    """Let the command line name changed copies of its configuration files; returns them."""
    written = {}
    for number, (path, text) in enumerate(files.items()):
        copy = f"{folder}/config-{number}"
        written[copy] = text
        for index, prefix in qemu.uses_of(words, path):
            words[index] = words[index][:prefix] + copy
    return written


def _unused(name: str, used: set[str]) -> str:
    """The name, with a number if another socket has it already."""
    number, unused = 2, name
    while unused in used:
        unused, number = f"{name}-{number}", number + 1
    return unused
