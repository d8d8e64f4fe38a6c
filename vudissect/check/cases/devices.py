"""Devices with few kinds of requests: random numbers, sockets, consoles, input, GPUs."""

from vudissect.check.model import Behaviour, Case, Verdict

_ENTROPY = "virtio specification, Entropy Device, Device Operation"
_SOCKET = "virtio specification, Socket Device, Device Operation"
_CONSOLE = "virtio specification, Console Device, Device Operation"
_INPUT = "virtio specification, Input Device"
_GPU = "virtio specification, GPU Device, Device Operation"
_EDID = "vhost-user-gpu: GET_EDID; VHOST_USER_GPU_PROTOCOL_F_EDID"
_DISPLAY = "vhost-user-gpu: Message types"
_SURVIVES = "no text: a driver's fault must not end a process that serves others"
_SETTLES = "The connection is closed, or the ring goes on or stops; the process lives."
_READ_ONLY = "virtio specification, The Virtqueue Used Ring: len is the number of bytes written"


def _case(
    device: str,
    case: str,
    title: str,
    expected: str,
    section: str,
    *steps: str,
    otherwise: Verdict = Verdict.FAIL,
) -> Case:
    mark = "? " if otherwise is not Verdict.FAIL else ""
    lines = [f"{mark if 'comes' in step else ''}* {step}" for step in steps]
    return Case(
        case,
        title,
        expected,
        section,
        "\n".join(["* ready", *lines]),
        meanings={Behaviour.FAILED: otherwise} if mark else {},
        needs=("data",),
        device=device,
    )


def _asked(case: str, title: str, expected: str, select: int, sub: int, answer: str) -> Case:
    perhaps = answer.startswith("?")
    return Case(
        case,
        title,
        expected,
        f"{_INPUT}, Device configuration layout: select and subsel; size is 0 if there is nothing",
        f"""
        * negotiate
        F>B SET_CONFIG offset=0 contents={select:02x}{sub:02x}
        {answer}
        """,
        meanings={Behaviour.FAILED: Verdict.INFORMATIONAL} if perhaps else {},
        needs=("CONFIG",),
        device="input",
        ours_perhaps=("VU-CFG-04",),
    )


def _shown(case: str, title: str, expected: str, section: str, *steps: str) -> Case:
    lines = ["* negotiate", "F>B GPU_SET_SOCKET sock#gpu", "* memory", "* start"]
    lines += ["* GET_PROTOCOL_FEATURES comes on the channel", *(f"* {step}" for step in steps)]
    return Case(case, title, expected, section, "\n".join(lines), needs=("data",), device="gpu")


CASES = (
    _case("rng", "RND-01", "one byte is asked for", "It comes.", _ENTROPY, "request: one byte"),
    _case("rng", "RND-02", "64 KiB are asked for", "Some come: at least one byte.", _ENTROPY, "request: 64 KiB"),
    _case(
        "rng",
        "RND-03",
        "a buffer that the device may only read",
        _SETTLES,
        f"{_ENTROPY}: a driver must not place driver-readable buffers into the queue; {_SURVIVES}",
        *["offer: nothing to write to", "settled"],
    ),
    _case("rng", "RND-04", "64 bytes are asked for", "Not all are the same.", _ENTROPY, "request: varied"),
    _case(
        "vsock",
        "VSK-01",
        "a connection to a port on which nobody listens",
        "A reset comes.",
        f"{_SOCKET}: VIRTIO_VSOCK_OP_RST",
        *["room for: a reset", "request: connect", "something comes"],
    ),
    _case(
        "vsock",
        "VSK-02",
        "data for a connection that does not exist",
        "A reset comes.",
        f"{_SOCKET}: VIRTIO_VSOCK_OP_RST",
        *["room for: a reset", "request: data", "something comes"],
    ),
    _case(
        "vsock",
        "VSK-03",
        "an operation that does not exist",
        "A reset comes, or nothing.",
        f"{_SOCKET}; no text on unknown operations",
        *["room for: a reset", "request: unknown operation", "something comes"],
        otherwise=Verdict.INFORMATIONAL,
    ),
    _case(
        "vsock",
        "VSK-04",
        "half the header of a packet",
        _SETTLES,
        _SURVIVES,
        *["offer: half a header", "settled"],
    ),
    _case(
        "vsock",
        "VSK-05",
        "a reset for a connection that does not exist",
        "Nothing comes: a reset is never answered.",
        f"{_SOCKET}: VIRTIO_VSOCK_OP_RST",
        *["room for: a reset", "request: reset", "nothing comes"],
    ),
    _case(
        "vsock",
        "VSK-06",
        "a connection of a type that does not exist",
        "A reset comes.",
        f"{_SOCKET}: a reset is the answer to a packet with an unknown type",
        *["room for: a reset", "request: unknown type", "something comes"],
    ),
    _case(
        "console",
        "CON-01",
        "characters are written",
        "They are given back, and nothing is written to them.",
        f"{_CONSOLE}; {_READ_ONLY}",
        "request: text",
    ),
    _case(
        "console",
        "CON-02",
        "a buffer in the ring for output that the device may only write",
        _SETTLES,
        f"{_CONSOLE}; {_SURVIVES}",
        *["offer: nothing to read", "settled"],
    ),
    _case("console", "CON-03", "16 KiB are written", "They are given back.", _CONSOLE, "request: 16 KiB"),
    _case(
        "console",
        "CON-04",
        "characters are written, and there is room for input",
        "They come back, if an echo is on the other side.",
        f"{_CONSOLE}; what is on the other side is not specified",
        *["room for: echo", "request: text", "something comes"],
        otherwise=Verdict.INFORMATIONAL,
    ),
    _asked("INP-01", "the name is asked for", "It is answered: at least one character.", 1, 0, "* there is an answer"),
    _asked(
        "INP-02",
        "the event codes of keys are asked for",
        "They are answered where the device has keys.",
        0x11,
        1,
        "? * there is an answer",
    ),
    _asked("INP-03", "something unknown is asked for", "The size is 0.", 0x77, 0x77, "* there is no answer"),
    _case(
        "input",
        "INP-04",
        "a light is switched on",
        "The event is given back, and nothing is written to it.",
        f"{_INPUT}, Device Operation; {_READ_ONLY}",
        "request: light",
    ),
    _case(
        "input",
        "INP-05",
        "an event of 5 bytes, which has 8",
        _SETTLES,
        f"{_INPUT}, Device Operation; {_SURVIVES}",
        *["offer: cut event", "settled"],
    ),
    _case(
        "gpu",
        "GPU-01",
        "a resource is created and released",
        "Both are answered with RESP_OK_NODATA.",
        f"{_GPU}: controlq",
        *["request: create", "request: release"],
    ),
    _case(
        "gpu",
        "GPU-02",
        "a resource that does not exist is released",
        "The answer is RESP_ERR_INVALID_RESOURCE_ID.",
        f"{_GPU}: controlq",
        "request: release what is not there",
    ),
    _case(
        "gpu",
        "GPU-03",
        "a command with a fence, which fails",
        "The response has the flag and the number of the fence.",
        f"{_GPU}: the device must set VIRTIO_GPU_FLAG_FENCE in the response and copy fence_id",
        "request: with a fence",
    ),
    _case(
        "gpu",
        "GPU-04",
        "a command that does not exist",
        "The response is an error.",
        f"{_GPU}: responses",
        "request: unknown command",
    ),
    _case(
        "gpu",
        "GPU-05",
        "a resource with a format that does not exist",
        "The response is an error.",
        f"{_GPU}: controlq",
        "request: unknown format",
    ),
    _case(
        "gpu",
        "GPU-06",
        "a resource is created twice",
        "The second time the answer is RESP_ERR_INVALID_RESOURCE_ID.",
        f"{_GPU}: controlq",
        *["request: create", "request: create again", "request: release"],
    ),
    _case("gpu", "GPU-07", "half the header of a command", _SETTLES, _SURVIVES, *["offer: half a header", "settled"]),
    _case(
        "gpu",
        "GPU-08",
        "a command without room for the response",
        _SETTLES,
        _SURVIVES,
        *["offer: no room for the response", "settled"],
    ),
    _case(
        "gpu",
        "GPU-09",
        "a resource gets backing that is not in guest memory",
        "The response is an error.",
        f"{_GPU}: controlq; {_SURVIVES}",
        *["request: create", "request: backing outside of memory", "request: release"],
    ),
    _shown(
        "GPU-10",
        "GPU_SET_SOCKET",
        "GET_PROTOCOL_FEATURES comes on the socket before anything else, and then what is acknowledged of them.",
        "vhost-user-gpu: GET_PROTOCOL_FEATURES",
        "SET_PROTOCOL_FEATURES comes on the channel",
    ),
    _shown(
        "GPU-11",
        "the displays are asked for",
        "GET_DISPLAY_INFO comes on the socket, and the driver gets its answer.",
        f"{_DISPLAY}: GET_DISPLAY_INFO; {_GPU}: GET_DISPLAY_INFO",
        *["request: displays", "SET_PROTOCOL_FEATURES comes on the channel", "GET_DISPLAY_INFO comes on the channel"],
    ),
    _shown(
        "GPU-12",
        "a resource is shown",
        "SCANOUT comes on the socket.",
        f"{_DISPLAY}: SCANOUT",
        *["request: create", "request: show", "SET_PROTOCOL_FEATURES comes on the channel"],
        *["SCANOUT comes on the channel", "request: release"],
    ),
    _shown(
        "GPU-13",
        "a resource that is shown is flushed",
        "UPDATE comes on the socket, with four bytes for each pixel.",
        f"{_DISPLAY}: UPDATE",
        *["request: create", "request: show", "SET_PROTOCOL_FEATURES comes on the channel"],
        *["SCANOUT comes on the channel", "request: flush", "UPDATE comes on the channel", "request: release"],
    ),
    _shown(
        "GPU-14",
        "the displays are asked for, and the front-end does not know them",
        "The command waits or fails; the process lives, and answers on the main connection.",
        "no text: a front-end may be slow",
        "SET_PROTOCOL_FEATURES comes on the channel",
        *["what is asked on the channel is not acknowledged", "offer: displays, if anybody knows", "settled"],
    ),
    _shown(
        "GPU-15",
        "the displays are asked for, and the front-end has closed the socket",
        "The command waits or fails, or the connection is closed; the process lives.",
        "no text: a front-end may end at any moment",
        "SET_PROTOCOL_FEATURES comes on the channel",
        *["close the channel", "offer: displays, if anybody knows", "settled"],
    ),
    Case(
        "GPU-16",
        "the EDID of a display is asked for",
        "EDID is acknowledged on the socket, GET_EDID comes there, and the driver gets the answer.",
        f"{_EDID}; {_GPU}: VIRTIO_GPU_CMD_GET_EDID",
        """
        * negotiate with EDID
        * the front-end knows EDIDs
        F>B GPU_SET_SOCKET sock#gpu
        * memory
        * start
        * GET_PROTOCOL_FEATURES comes on the channel
        * request: EDID
        * SET_PROTOCOL_FEATURES comes on the channel
        * GET_EDID comes on the channel
        """,
        rules=("VU-GPU-02",),
        needs=("EDID", "data"),
        device="gpu",
    ),
)
