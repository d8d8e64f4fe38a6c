"""Devices that people see, hear and touch: console, gpu, input, sound, media."""

from vudissect.protocol.bits import Bit, BitSet
from vudissect.protocol.fields import pad, raw, u8, u16, u32
from vudissect.protocol.model import Device, Layout, Meaning

_GPU_EVENTS = BitSet("gpu events", (Bit(0, "DISPLAY"),))
_INPUT_SELECT = {
    0x00: "UNSET",
    0x01: "ID_NAME",
    0x02: "ID_SERIAL",
    0x03: "ID_DEVIDS",
    0x10: "PROP_BITS",
    0x11: "EV_BITS",
    0x12: "ABS_INFO",
}

CONSOLE = Device(
    3,
    "console",
    Layout(
        "console_configuration",
        (
            u16("cols"),
            u16("rows"),
            u32("max_nr_ports"),
            u32("emerg_wr", Meaning.HEX, note="a character", writable=True),
        ),
    ),
    BitSet(
        "console features",
        (Bit(0, "SIZE"), Bit(1, "MULTIPORT"), Bit(2, "EMERG_WRITE")),
        source="virtio specification, Console Device",
    ),
    ("rx port 0", "tx port 0", "control rx", "control tx", "rx port*", "tx port*"),
    note="queues after the first two need MULTIPORT",
)

GPU = Device(
    16,
    "gpu",
    Layout(
        "gpu_configuration",
        (
            u32("events_read", bits=_GPU_EVENTS),
            u32("events_clear", bits=_GPU_EVENTS, writable=True),
            u32("num_scanouts"),
            u32("num_capsets"),
            u32("blob_alignment", Meaning.SIZE, feature="BLOB_ALIGNMENT"),
        ),
    ),
    BitSet(
        "gpu features",
        (
            Bit(0, "VIRGL"),
            Bit(1, "EDID"),
            Bit(2, "RESOURCE_UUID"),
            Bit(3, "RESOURCE_BLOB"),
            Bit(4, "CONTEXT_INIT"),
            Bit(5, "BLOB_ALIGNMENT"),
        ),
        source="virtio specification, GPU Device",
    ),
    ("control", "cursor"),
)

INPUT = Device(
    18,
    "input",
    Layout(
        "input_configuration",
        (
            u8("select", choices=_INPUT_SELECT, writable=True),
            u8("subsel", writable=True),
            u8("size", Meaning.SIZE, note="valid bytes of data, 0 if there is nothing to read"),
            pad(5, "reserved"),
            raw("data", 128, note="text, bitmap, axis or identity, as selected"),
        ),
    ),
    BitSet("input features", (), source="virtio specification, Input Device"),
    ("event", "status"),
    note="one window onto many values: the driver writes select and subsel, then reads",
)

SOUND = Device(
    25,
    "sound",
    Layout(
        "sound_configuration",
        (u32("jacks"), u32("streams"), u32("chmaps"), u32("controls", feature="CTLS")),
    ),
    BitSet("sound features", (Bit(0, "CTLS"),), source="virtio specification, Sound Device"),
    ("control", "event", "tx", "rx"),
)

MEDIA = Device(
    48,
    "media",
    Layout(
        "media_configuration",
        (
            u32("device_caps", Meaning.HEX, note="V4L2 capabilities"),
            u32("device_type", note="V4L2 device node type"),
            raw("card", 32, Meaning.TEXT),
        ),
    ),
    BitSet("media features", (), source="virtio specification, Media Device"),
    ("command", "event"),
)

MEDIA_DEVICES = (CONSOLE, GPU, INPUT, SOUND, MEDIA)
