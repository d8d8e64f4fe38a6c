"""What requests ask of a device, in a few words, by device and by queue.

Source: virtio specification, Device Types; Linux include/uapi/linux/fuse.h; SCSI operation codes of SPC and SBC.
"""

from collections.abc import Callable, Mapping
from struct import Struct
from typing import NamedTuple

from vudissect.rings.blk import HEADER_SIZE as BLK_HEADER_SIZE
from vudissect.rings.blk import SECTOR, Kind, read_header
from vudissect.rings.vsock import HEADER_SIZE as VSOCK_HEADER_SIZE
from vudissect.rings.vsock import Operation
from vudissect.rings.vsock import read_header as read_vsock


class Asked(NamedTuple):
    """A request: how many bytes the device may read and write, and the first that it may read: all of its header."""

    readable: int
    writable: int
    header: bytes


class Form(NamedTuple):
    """How many bytes of a request its header has, and what it asks for in words, "" if the header is cut short."""

    size: int
    describe: Callable[[Asked], str]


_NET = Struct("<BBHH6x")
_NET_COMMAND = Struct("<BB")
_CONSOLE = Struct("<IHH")
_FUSE = Struct("<IIQQ")
_GPU = Struct("<IIQ8x")
_GPU_FENCE = 1
_SCSI = Struct("<xBH4xQ3x32s")
_SCSI_TASK = Struct("<II")
_INPUT = Struct("<HH")
_SOUND = Struct("<II")
_STREAM = Struct("<I")
_CRYPTO = Struct("<IIQ")
_CRYPTO_CONTROL = Struct("<I")
_ECN = 0x80
_SEGMENTS = {1: "TCPv4", 3: "UDP", 4: "TCPv6", 5: "UDP_L4"}
_NET_CLASSES = {0: "RX", 1: "MAC", 2: "VLAN", 3: "ANNOUNCE", 4: "MQ", 5: "GUEST_OFFLOADS", 6: "NOTF_COAL", 7: "STATS"}
_CONSOLE_EVENTS = (
    *("DEVICE_READY", "PORT_ADD", "PORT_REMOVE", "PORT_READY", "CONSOLE_PORT", "RESIZE", "PORT_OPEN", "PORT_NAME"),
)
_VERBS = {
    Kind.IN: "read",
    Kind.OUT: "write",
    Kind.FLUSH: "flush",
    Kind.GET_ID: "get the id",
    Kind.DISCARD: "discard",
    Kind.WRITE_ZEROES: "write zeroes",
}
_FUSE_NAMES = {
    1: "LOOKUP", 2: "FORGET", 3: "GETATTR", 4: "SETATTR", 5: "READLINK", 6: "SYMLINK", 8: "MKNOD", 9: "MKDIR",
    10: "UNLINK", 11: "RMDIR", 12: "RENAME", 13: "LINK", 14: "OPEN", 15: "READ", 16: "WRITE", 17: "STATFS",
    18: "RELEASE", 20: "FSYNC", 21: "SETXATTR", 22: "GETXATTR", 23: "LISTXATTR", 24: "REMOVEXATTR", 25: "FLUSH",
    26: "INIT", 27: "OPENDIR", 28: "READDIR", 29: "RELEASEDIR", 30: "FSYNCDIR", 31: "GETLK", 32: "SETLK",
    33: "SETLKW", 34: "ACCESS", 35: "CREATE", 36: "INTERRUPT", 37: "BMAP", 38: "DESTROY", 39: "IOCTL", 40: "POLL",
    42: "BATCH_FORGET", 43: "FALLOCATE", 44: "READDIRPLUS", 45: "RENAME2", 46: "LSEEK", 47: "COPY_FILE_RANGE",
    48: "SETUPMAPPING", 49: "REMOVEMAPPING", 50: "SYNCFS",
}  # fmt: skip
_GPU_COMMANDS = {
    0x100: "get display info", 0x101: "resource create 2D", 0x102: "resource unref", 0x103: "set scanout",
    0x104: "resource flush", 0x105: "transfer to host 2D", 0x106: "resource attach backing",
    0x107: "resource detach backing", 0x108: "get capset info", 0x109: "get capset", 0x10A: "get EDID",
    0x10B: "resource assign UUID", 0x10C: "resource create blob", 0x10D: "set scanout blob", 0x200: "ctx create",
    0x201: "ctx destroy", 0x202: "ctx attach resource", 0x203: "ctx detach resource", 0x204: "resource create 3D",
    0x205: "transfer to host 3D", 0x206: "transfer from host 3D", 0x207: "submit 3D", 0x208: "resource map blob",
    0x209: "resource unmap blob", 0x300: "update cursor", 0x301: "move cursor",
}  # fmt: skip
_SCSI_COMMANDS = {
    0x00: "TEST UNIT READY", 0x03: "REQUEST SENSE", 0x08: "READ(6)", 0x0A: "WRITE(6)", 0x12: "INQUIRY",
    0x1A: "MODE SENSE(6)", 0x1B: "START STOP UNIT", 0x25: "READ CAPACITY(10)", 0x28: "READ(10)", 0x2A: "WRITE(10)",
    0x35: "SYNCHRONIZE CACHE(10)", 0x41: "WRITE SAME(10)", 0x42: "UNMAP", 0x5A: "MODE SENSE(10)", 0x88: "READ(16)",
    0x8A: "WRITE(16)", 0x91: "SYNCHRONIZE CACHE(16)", 0x93: "WRITE SAME(16)", 0x9E: "SERVICE ACTION IN(16)",
    0xA0: "REPORT LUNS", 0xA8: "READ(12)", 0xAA: "WRITE(12)",
}  # fmt: skip
# Where a command has its first block, and with how many bytes.
_BLOCK_AT = {0x28: 4, 0x2A: 4, 0xA8: 4, 0xAA: 4, 0x88: 8, 0x8A: 8}
_SCSI_TASKS = (
    *("ABORT_TASK", "ABORT_TASK_SET", "CLEAR_ACA", "CLEAR_TASK_SET", "I_T_NEXUS_RESET", "LOGICAL_UNIT_RESET"),
    *("QUERY_TASK", "QUERY_TASK_SET"),
)
_SOUND_COMMANDS = {
    0x001: "JACK_INFO", 0x002: "JACK_REMAP", 0x100: "PCM_INFO", 0x101: "PCM_SET_PARAMS", 0x102: "PCM_PREPARE",
    0x103: "PCM_RELEASE", 0x104: "PCM_START", 0x105: "PCM_STOP", 0x200: "CHMAP_INFO", 0x300: "CTL_INFO",
    0x301: "CTL_ENUM_ITEMS", 0x302: "CTL_READ", 0x303: "CTL_WRITE", 0x304: "CTL_TLV_READ", 0x305: "CTL_TLV_WRITE",
    0x306: "CTL_TLV_COMMAND",
}  # fmt: skip
# These are about one stream, whose number follows.
_OF_A_STREAM = range(0x101, 0x106)
_CRYPTO_OPERATIONS = {
    0x000: "CIPHER_ENCRYPT", 0x001: "CIPHER_DECRYPT", 0x002: "CIPHER_CREATE_SESSION", 0x003: "CIPHER_DESTROY_SESSION",
    0x100: "HASH", 0x102: "HASH_CREATE_SESSION", 0x103: "HASH_DESTROY_SESSION", 0x200: "MAC",
    0x202: "MAC_CREATE_SESSION", 0x203: "MAC_DESTROY_SESSION", 0x300: "AEAD_ENCRYPT", 0x301: "AEAD_DECRYPT",
    0x302: "AEAD_CREATE_SESSION", 0x303: "AEAD_DESTROY_SESSION", 0x400: "AKCIPHER_ENCRYPT", 0x401: "AKCIPHER_DECRYPT",
    0x402: "AKCIPHER_SIGN", 0x403: "AKCIPHER_VERIFY", 0x404: "AKCIPHER_CREATE_SESSION",
    0x405: "AKCIPHER_DESTROY_SESSION",
}  # fmt: skip


def _named(names: Mapping[int, str] | tuple[str, ...], number: int, what: str) -> str:
    """A name, or `what` with the number if it has none."""
    if isinstance(names, tuple):
        names = dict(enumerate(names))
    return names.get(number, f"{what} {number:#x}")


def _disk(asked: Asked) -> str:
    header = read_header(asked.header)
    if header is None:
        return ""
    verb = _VERBS.get(Kind(header.kind)) if header.kind in set(Kind) else f"request type {header.kind}"
    if header.kind not in (Kind.IN, Kind.OUT):
        return str(verb)
    # The status is one byte that the device writes.
    length = asked.writable - 1 if header.kind == Kind.IN else asked.readable - BLK_HEADER_SIZE
    return f"{verb} sector {header.sector}, {max(0, length) // SECTOR} sectors"


def _file_system(asked: Asked) -> str:
    _, opcode, unique, node = _FUSE.unpack(asked.header)
    return f"FUSE {_FUSE_NAMES.get(opcode, opcode)} node {node} (unique {unique})"


def _packet(asked: Asked) -> str:
    flags, kind, _, size = _NET.unpack(asked.header)
    text = f"packet of {asked.readable - _NET.size} bytes"
    if kind & ~_ECN:
        text += f", in {_named(_SEGMENTS, kind & ~_ECN, 'type')} segments of {size}"
    return f"{text}, checksum to be completed" if flags & 1 else text


def _network_command(asked: Asked) -> str:
    group, command = _NET_COMMAND.unpack(asked.header)
    return f"command {command} of {_named(_NET_CLASSES, group, 'class')}"


def _console_control(asked: Asked) -> str:
    port, event, value = _CONSOLE.unpack(asked.header)
    return f"{_named(_CONSOLE_EVENTS, event, 'event')} port {port} value {value}"


def _vsock(asked: Asked) -> str:
    header = read_vsock(asked.header)
    if header is None:
        return ""
    what = _named({each.value: each.name for each in Operation}, header.operation, "operation")
    places = f"{header.source}:{header.source_port} to {header.target}:{header.target_port}"
    return f"{what} from {places}, {header.length} bytes"


def _gpu(asked: Asked) -> str:
    command, flags, fence = _GPU.unpack(asked.header)
    text = _named(_GPU_COMMANDS, command, "command")
    return f"{text}, fence {fence}" if flags & _GPU_FENCE else text


def _scsi(asked: Asked) -> str:
    target, unit, tag, block = _SCSI.unpack(asked.header)
    # The unit number is big-endian, below an addressing method of two bits.
    unit = (unit >> 8 | unit << 8) & 0x3FFF
    place = f"target {target} LUN {unit} (tag {tag:#x})"
    length = _BLOCK_AT.get(block[0])
    if length is not None:
        place = f"block {int.from_bytes(block[2 : 2 + length], 'big')}, {place}"
    return f"{_named(_SCSI_COMMANDS, block[0], 'command')} {place}"


def _scsi_task(asked: Asked) -> str:
    kind, subtype = _SCSI_TASK.unpack(asked.header)
    if kind:
        return _named({1: "AN_QUERY", 2: "AN_SUBSCRIBE"}, kind, "type")
    return _named(_SCSI_TASKS, subtype, "task management function")


def _input_status(asked: Asked) -> str:
    kind, code = _INPUT.unpack(asked.header)
    return f"event type {kind} code {code}"


def _sound(asked: Asked) -> str:
    code, stream = _SOUND.unpack(asked.header)
    text = _named(_SOUND_COMMANDS, code, "command")
    return f"{text} stream {stream}" if code in _OF_A_STREAM else text


def _playback(asked: Asked) -> str:
    (stream,) = _STREAM.unpack(asked.header)
    return f"{asked.readable - _STREAM.size} bytes for stream {stream}"


def _capture(asked: Asked) -> str:
    (stream,) = _STREAM.unpack(asked.header)
    return f"a buffer for stream {stream}"


def _crypto(asked: Asked) -> str:
    operation, _, session = _CRYPTO.unpack(asked.header)
    return f"{_named(_CRYPTO_OPERATIONS, operation, 'operation')} session {session}"


def _crypto_control(asked: Asked) -> str:
    (operation,) = _CRYPTO_CONTROL.unpack(asked.header)
    return _named(_CRYPTO_OPERATIONS, operation, "operation")


def _output(asked: Asked) -> str:
    return f"{asked.readable} bytes of output"


def _entropy(asked: Asked) -> str:
    return f"{asked.writable} bytes of entropy"


FORMS: Mapping[str, Mapping[str, Form]] = {
    "net": {"tx": Form(_NET.size, _packet), "ctrl": Form(_NET_COMMAND.size, _network_command)},
    "blk": {"request": Form(BLK_HEADER_SIZE, _disk)},
    "console": {
        "tx port 0": Form(0, _output),
        "tx port": Form(0, _output),
        "control tx": Form(_CONSOLE.size, _console_control),
    },
    "rng": {"request": Form(0, _entropy)},
    "scsi": {"request": Form(_SCSI.size, _scsi), "control": Form(_SCSI_TASK.size, _scsi_task)},
    "gpu": {"control": Form(_GPU.size, _gpu), "cursor": Form(_GPU.size, _gpu)},
    "input": {"status": Form(_INPUT.size, _input_status)},
    "vsock": {"tx": Form(VSOCK_HEADER_SIZE, _vsock)},
    "crypto": {
        "data": Form(_CRYPTO.size, _crypto),
        "control": Form(_CRYPTO_CONTROL.size, _crypto_control),
    },
    "sound": {
        "control": Form(_SOUND.size, _sound),
        "tx": Form(_STREAM.size, _playback),
        "rx": Form(_STREAM.size, _capture),
    },
    "fs": {"request": Form(_FUSE.size, _file_system), "hiprio": Form(_FUSE.size, _file_system)},
}
"""By the name of the device and of its queue, as `vudissect.protocol.devices` has them."""
