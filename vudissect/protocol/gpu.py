"""Messages of the vhost-user-gpu channel and their payloads: the back-end sends requests, the front-end replies.

Source: QEMU docs/interop/vhost-user-gpu.rst; the display structures are those of the virtio GPU device.
"""

from functools import partial

from vudissect.protocol.features import GPU_FEATURES
from vudissect.protocol.fields import i32, pad, raw, u8, u32, u64
from vudissect.protocol.model import Answer, Array, Channel, Descriptors, FdKind, Gate, Layout, Meaning, Row, Tail
from vudissect.protocol.payloads import EMPTY, NOTHING
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.since import qemu

FEATURES_WORD = Layout("gpu_protocol_features", (u64("features", bits=GPU_FEATURES),), title="GPU protocol features")

_CONTROL_HEADER = (
    u32("type", choices={0x1101: "RESP_OK_DISPLAY_INFO", 0x1104: "RESP_OK_EDID"}),
    u32("flags", Meaning.HEX),
    u64("fence_id"),
    u32("ctx_id"),
    u8("ring_idx"),
    pad(3),
)
SCANOUTS = 16
_DISPLAY = Layout(
    "display",
    (
        u32("x"),
        u32("y"),
        u32("width"),
        u32("height"),
        u32("enabled"),
        u32("flags", Meaning.HEX),
    ),
)
DISPLAY_INFO = Layout("display_info", _CONTROL_HEADER, Array("displays", _DISPLAY, SCANOUTS))
_EDID_REQUEST = Layout("edid_request", (u32("scanout"),), title="EDID request")
EDID = Layout(
    "edid", (*_CONTROL_HEADER, u32("size", Meaning.SIZE), pad(4, "padding2"), raw("edid", 1024)), title="EDID"
)

_CURSOR_FIELDS = (u32("scanout"), u32("x"), u32("y"))
_CURSOR_POSITION = Layout("cursor_position", _CURSOR_FIELDS)
_CURSOR_IMAGE = Layout(
    "cursor_image",
    (*_CURSOR_FIELDS, u32("hot_x"), u32("hot_y"), raw("pixels", 64 * 64 * 4, Meaning.PIXELS)),
)
_SCANOUT = Layout("scanout", (u32("scanout"), u32("width"), u32("height")))
_UPDATE_FIELDS = (u32("scanout"), u32("x"), u32("y"), u32("width"), u32("height"))
UPDATE = Layout("update", _UPDATE_FIELDS, tail=Tail(raw("pixels", 0, Meaning.PIXELS), (4, "width", "height")))
DMABUF_UPDATE = Layout("dma-buf_update", _UPDATE_FIELDS)
_DMABUF_FIELDS = (
    *_UPDATE_FIELDS,
    u32("fd_width"),
    u32("fd_height"),
    u32("fd_stride", Meaning.SIZE),
    u32("fd_flags", Meaning.HEX),
    i32("fd_drm_fourcc", Meaning.HEX),
)
_DMABUF_SCANOUT = Layout("dma-buf_scanout", _DMABUF_FIELDS)
_DMABUF_SCANOUT2 = Layout("dma-buf_scanout_2", (*_DMABUF_FIELDS, u64("modifier", Meaning.HEX)))

_message = partial(
    Row,
    Channel.GPU,
    source="QEMU docs/interop/vhost-user-gpu.rst, Message types",
    request=NOTHING,
    answer=Answer.NEVER,
)

MESSAGES: tuple[Row, ...] = (
    _message(
        id=1,
        name="GET_PROTOCOL_FEATURES",
        summary="Asks for the protocol features of the GPU channel.",
        answer=Answer.ALWAYS,
        reply=(FEATURES_WORD,),
        purpose=Purpose.OFFER_GPU_FEATURES,
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=2,
        name="SET_PROTOCOL_FEATURES",
        summary="Acknowledges protocol features of the GPU channel.",
        request=(FEATURES_WORD,),
        purpose=Purpose.ACK_GPU_FEATURES,
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=3,
        name="GET_DISPLAY_INFO",
        summary="Asks for the displays and their sizes.",
        answer=Answer.ALWAYS,
        reply=(DISPLAY_INFO,),
        purpose=Purpose.SHOW_DISPLAYS,
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=4,
        name="CURSOR_POS",
        summary="Moves and shows the cursor.",
        request=(_CURSOR_POSITION,),
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=5,
        name="CURSOR_POS_HIDE",
        summary="Moves and hides the cursor.",
        request=(_CURSOR_POSITION,),
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=6,
        name="CURSOR_UPDATE",
        summary="Sets the image of the cursor.",
        request=(_CURSOR_IMAGE,),
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=7,
        name="SCANOUT",
        summary="Sets the size of a scanout; width or height 0 turns it off.",
        request=(_SCANOUT,),
        purpose=Purpose.SET_SCANOUT,
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=8,
        name="UPDATE",
        summary="Draws a rectangle of pixels.",
        request=(UPDATE,),
        purpose=Purpose.DRAW,
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=9,
        name="DMABUF_SCANOUT",
        summary="Shows a dma-buf as a scanout; without a descriptor it turns the scanout off.",
        request=(_DMABUF_SCANOUT,),
        fds=Descriptors(FdKind.DMABUF, 0, 1),
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=10,
        name="DMABUF_UPDATE",
        summary="Updates part of the dma-buf; the empty reply comes once the display has used it.",
        request=(DMABUF_UPDATE,),
        answer=Answer.ALWAYS,
        reply=(EMPTY,),
        since=qemu("4.1", "bd2e44fee4"),
    ),
    _message(
        id=11,
        name="GET_EDID",
        summary="Asks for the EDID of a scanout.",
        request=(_EDID_REQUEST,),
        answer=Answer.ALWAYS,
        reply=(EDID,),
        gate=Gate(gpu=("EDID",)),
        purpose=Purpose.DESCRIBE_DISPLAY,
        since=qemu("8.1", "50cbd5b4b3"),
    ),
    _message(
        id=12,
        name="DMABUF_SCANOUT2",
        summary="Shows a dma-buf with a format modifier as a scanout.",
        request=(_DMABUF_SCANOUT2,),
        fds=Descriptors(FdKind.DMABUF, 0, 1),
        gate=Gate(gpu=("DMABUF2",)),
        since=qemu("8.2", "75f217b4ad"),
    ),
)
