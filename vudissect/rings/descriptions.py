"""What requests ask of a device, in a few words, by device and by queue.

Source: virtio specification, Device Types; SCSI operation codes of SPC and SBC. What is here is only for people; what
a device or driver also needs is in the modules of the devices.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from vudissect.rings import blk, fs, gpu, net, small, vsock


class Asked(NamedTuple):
    """A request: how many bytes the device may read and write, and the first that it may read: all of its header."""

    readable: int
    writable: int
    header: bytes


class Form(NamedTuple):
    """How the header of a request is laid out, and what it asks for in words, "" if it cannot be read."""

    header: Struct
    describe: Callable[[Asked], str]


_NOTHING = Struct("<")
_NET_COMMAND = Struct("<BB")
_CONSOLE = Struct("<IHH")

_SCSI_TASK = Struct("<II")
_INPUT = Struct("<HH")
_SOUND = Struct("<II")
_STREAM = Struct("<I")
_CRYPTO = Struct("<IIQ")
_CRYPTO_CONTROL = Struct("<I")
_NET_CLASSES = {0: "RX", 1: "MAC", 2: "VLAN", 3: "ANNOUNCE", 4: "MQ", 5: "GUEST_OFFLOADS", 6: "NOTF_COAL", 7: "STATS"}
_CONSOLE_EVENTS = (
    *("DEVICE_READY", "PORT_ADD", "PORT_REMOVE", "PORT_READY", "CONSOLE_PORT", "RESIZE", "PORT_OPEN", "PORT_NAME"),
)
_VERBS = {
    blk.Kind.IN: "read",
    blk.Kind.OUT: "write",
    blk.Kind.FLUSH: "flush",
    blk.Kind.GET_ID: "get the id",
    blk.Kind.DISCARD: "discard",
    blk.Kind.WRITE_ZEROES: "write zeroes",
}
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
    0x001: "JACK_INFO", 0x002: "JACK_REMAP", small.SOUND_PCM_INFO: "PCM_INFO",
    0x101: "PCM_SET_PARAMS", 0x102: "PCM_PREPARE", 0x103: "PCM_RELEASE", 0x104: "PCM_START", 0x105: "PCM_STOP",
    0x200: "CHMAP_INFO", 0x300: "CTL_INFO",
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


def _named(names: Mapping[int, str] | type[IntEnum] | tuple[str, ...], number: int, what: str) -> str:
    """A name, or `what` with the number if it has none."""
    if isinstance(names, tuple):
        names = dict(enumerate(names))
    elif not isinstance(names, Mapping):
        names = {each.value: each.name for each in names}
    return names.get(number, f"{what} {number:#x}")


def _disk(asked: Asked) -> str:
    header = blk.read_header(asked.header)
    if header is None:
        return ""
    verb = _VERBS.get(blk.Kind(header.kind)) if header.kind in set(blk.Kind) else f"request type {header.kind}"
    if header.kind not in (blk.Kind.IN, blk.Kind.OUT):
        return str(verb)
    # The status is one byte that the device writes.
    length = asked.writable - 1 if header.kind == blk.Kind.IN else asked.readable - blk.HEADER_SIZE
    return f"{verb} sector {header.sector}, {max(0, length) // blk.SECTOR} sectors"


def _file_system(asked: Asked) -> str:
    _, opcode, unique, node = fs.START.unpack(asked.header)
    return f"FUSE {_named(fs.Opcode, opcode, 'opcode')} node {node} (unique {unique})"


def _packet(asked: Asked) -> str:
    flags, kind, _, size, *_ = net.HEADER.unpack(asked.header)
    text = f"packet of {asked.readable - net.HEADER_SIZE} bytes"
    if kind & ~net.ECN:
        text += f", in {_named(net.Gso, kind & ~net.ECN, 'type')} segments of {size}"
    return f"{text}, checksum to be completed" if flags & net.NEEDS_CHECKSUM else text


def _network_command(asked: Asked) -> str:
    group, command = _NET_COMMAND.unpack(asked.header)
    return f"command {command} of {_named(_NET_CLASSES, group, 'class')}"


def _console_control(asked: Asked) -> str:
    port, event, value = _CONSOLE.unpack(asked.header)
    return f"{_named(_CONSOLE_EVENTS, event, 'event')} port {port} value {value}"


def _vsock(asked: Asked) -> str:
    header = vsock.read_header(asked.header)
    if header is None:
        return ""
    what = _named(vsock.Operation, header.operation, "operation")
    places = f"{header.source}:{header.source_port} to {header.target}:{header.target_port}"
    return f"{what} from {places}, {header.length} bytes"


def _gpu(asked: Asked) -> str:
    header = gpu.read_header(asked.header)
    if header is None:
        return ""
    text = _named(gpu.Command, header.kind, "command")
    return f"{text}, fence {header.fence}" if header.flags & gpu.FENCE else text


def _scsi(asked: Asked) -> str:
    address, tag, *_, block = small.SCSI.unpack(asked.header)
    # The unit number comes after an addressing method of two bits.
    unit = int.from_bytes(address[2:4], "big") & 0x3FFF
    place = f"target {address[1]} LUN {unit} (tag {tag:#x})"
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
    "net": {"tx": Form(net.HEADER, _packet), "ctrl": Form(_NET_COMMAND, _network_command)},
    "blk": {"request": Form(blk.HEADER, _disk)},
    "console": {
        "tx port 0": Form(_NOTHING, _output),
        "tx port": Form(_NOTHING, _output),
        "control tx": Form(_CONSOLE, _console_control),
    },
    "rng": {"request": Form(_NOTHING, _entropy)},
    "scsi": {"request": Form(small.SCSI, _scsi), "control": Form(_SCSI_TASK, _scsi_task)},
    "gpu": {"control": Form(gpu.HEADER, _gpu), "cursor": Form(gpu.HEADER, _gpu)},
    "input": {"status": Form(_INPUT, _input_status)},
    "vsock": {"tx": Form(vsock.HEADER, _vsock)},
    "crypto": {"data": Form(_CRYPTO, _crypto), "control": Form(_CRYPTO_CONTROL, _crypto_control)},
    "sound": {"control": Form(_SOUND, _sound), "tx": Form(_STREAM, _playback), "rx": Form(_STREAM, _capture)},
    "fs": {"request": Form(fs.START, _file_system), "hiprio": Form(fs.START, _file_system)},
}
"""By the name of the device and of its queue, as `vudissect.protocol.devices` has them."""
