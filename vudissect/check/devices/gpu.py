"""A GPU: commands about resources, none of which shows anything, so that no front-end has to draw."""

from collections.abc import Callable, Set

from vudissect.check.channels import EDID as OUR_EDID
from vudissect.check.channels import HEIGHT, WIDTH
from vudissect.check.devices.path import DataPath, Request, fine
from vudissect.check.memory import Arena
from vudissect.rings.gpu import (
    BACKING,
    BGRA,
    CREATE_2D,
    DISPLAY,
    DISPLAYS_SIZE,
    ERRORS,
    FENCE,
    FLUSH,
    GET_EDID,
    HEADER_SIZE,
    RESOURCE,
    SCANOUT,
    Command,
    Header,
    Response,
    read_header,
)
from vudissect.rings.gpu import EDID as GET_EDID_RESPONSE

_OURS, _NOBODYS = 7, 0x7654_3210
_SIDE = 64
_NO_COMMAND, _NO_FORMAT = 0x7777, 0x7777
_FENCE_ID = 0x1122_3344_5566_7788
_NOWHERE = 1 << 60
_PAGE = 4096
_UUID_SIZE = 16


def _asked(header: Header, body: bytes, wanted: Set[int]) -> Callable[[Arena], Request]:
    """A command, whose response must be one of these, with the fence of the command."""

    def make(arena: Arena) -> Request:
        room = arena.buffer(HEADER_SIZE, writable=True)

        def check(written: int) -> str:
            came = read_header(arena.read(room)[:written])
            if came is None:
                return f"a response of {written} bytes, which has {HEADER_SIZE}"
            if came.kind not in wanted:
                return f"the response is {came.kind:#x}, not {' or '.join(f'{kind:#x}' for kind in sorted(wanted))}"
            if header.flags & FENCE and (not came.flags & FENCE or came.fence != header.fence):
                return f"the response has flags {came.flags:#x} and fence {came.fence:#x}"
            return ""

        return Request([arena.buffer(header.pack() + body), room], check)

    return make


def _create(format_: int, wanted: Set[int]) -> Callable[[Arena], Request]:
    return _asked(Header(Command.RESOURCE_CREATE_2D), CREATE_2D.pack(_OURS, format_, _SIDE, _SIDE), wanted)


def _release(resource: int, wanted: Set[int], *, flags: int = 0) -> Callable[[Arena], Request]:
    header = Header(Command.RESOURCE_UNREF, flags, _FENCE_ID if flags & FENCE else 0)
    return _asked(header, RESOURCE.pack(resource), wanted)


def _assign_uuid(arena: Arena) -> Request:
    room = arena.buffer(HEADER_SIZE + _UUID_SIZE, writable=True)

    def check(written: int) -> str:
        came = read_header(arena.read(room)[:written])
        if came is None or came.kind != Response.OK_UUID or written < HEADER_SIZE + _UUID_SIZE:
            return f"the response is {came.kind:#x} and has {written} bytes" if came else "there is no response"
        arena.remembered["uuid"] = int.from_bytes(arena.read(room)[HEADER_SIZE:])
        return ""

    return Request([arena.buffer(Header(Command.RESOURCE_ASSIGN_UUID).pack() + RESOURCE.pack(_OURS)), room], check)


def _displays(arena: Arena) -> Request:
    room = arena.buffer(DISPLAYS_SIZE, writable=True)

    def check(written: int) -> str:
        answer = arena.read(room)[:written]
        came = read_header(answer)
        if came is None or came.kind != Response.OK_DISPLAYS or written < DISPLAYS_SIZE:
            return f"the response is {came.kind:#x} and has {written} bytes" if came else "there is no response"
        _, _, width, height, *_ = DISPLAY.unpack_from(answer, HEADER_SIZE)
        return "" if (width, height) == (WIDTH, HEIGHT) else f"the first display has {width} x {height} pixels"

    return Request([arena.buffer(Header(Command.GET_DISPLAY_INFO).pack()), room], check)


def _edid(arena: Arena) -> Request:
    room = arena.buffer(HEADER_SIZE + GET_EDID_RESPONSE.size, writable=True)

    def check(written: int) -> str:
        answer = arena.read(room)[:written]
        came = read_header(answer)
        if came is None or came.kind != Response.OK_EDID or written < HEADER_SIZE + GET_EDID_RESPONSE.size:
            return f"the response is {came.kind:#x} and has {written} bytes" if came else "there is no response"
        size, edid = GET_EDID_RESPONSE.unpack_from(answer, HEADER_SIZE)
        return "" if edid[:size] == OUR_EDID else f"an EDID of {size} bytes that is not that of the front-end"

    return Request([arena.buffer(Header(Command.GET_EDID).pack() + GET_EDID.pack(0)), room], check)


def _ask_displays(arena: Arena) -> Request:
    return _displays(arena)._replace(check=fine)


_DONE = {Response.OK}
_UNKNOWN = {Response.INVALID_RESOURCE}

PATH = DataPath(
    "gpu",
    rings=(0, 1),
    ring=0,
    request=_release(_NOBODYS, ERRORS),
    requests={
        "create": _create(BGRA, _DONE),
        "create again": _create(BGRA, _UNKNOWN),
        "unknown format": _create(_NO_FORMAT, ERRORS),
        "release": _release(_OURS, _DONE),
        "release what is not there": _release(_NOBODYS, _UNKNOWN),
        "assign a UUID": _assign_uuid,
        "displays": _displays,
        "EDID": _edid,
        "displays, if anybody knows": _ask_displays,
        "show": _asked(Header(Command.SET_SCANOUT), SCANOUT.pack(0, 0, _SIDE, _SIDE, 0, _OURS), _DONE),
        "flush": _asked(Header(Command.RESOURCE_FLUSH), FLUSH.pack(0, 0, _SIDE, _SIDE, _OURS), _DONE),
        "with a fence": _release(_NOBODYS, ERRORS, flags=FENCE),
        "unknown command": _asked(Header(_NO_COMMAND), b"", ERRORS),
        "backing outside of memory": _asked(
            Header(Command.RESOURCE_ATTACH_BACKING), BACKING.pack(_OURS, 1, _NOWHERE, _PAGE), ERRORS
        ),
        "half a header": lambda arena: Request([arena.buffer(bytes(HEADER_SIZE // 2))], fine),
        "no room for the response": lambda arena: Request(
            [arena.buffer(Header(Command.RESOURCE_UNREF).pack() + RESOURCE.pack(_NOBODYS))], fine
        ),
    },
)
