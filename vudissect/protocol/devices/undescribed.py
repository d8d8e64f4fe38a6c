"""Device types that have only a number and a name here; their configuration space is shown as bytes."""

from vudissect.protocol.bits import BitSet
from vudissect.protocol.fields import raw
from vudissect.protocol.model import Device, Layout, Tail

_NAMES = {
    6: "iomem",
    7: "rpmsg",
    10: "mac80211",
    11: "rproc-serial",
    12: "caif",
    13: "memballoon",
    21: "signal",
    22: "pstore",
    29: "hwsim",
    30: "video-enc",
    31: "video-dec",
    33: "nitro-secure",
    35: "watchdog",
    37: "dmabuf",
    38: "param-server",
    39: "audio-policy",
    42: "rdma",
    43: "camera",
    44: "ism",
    46: "tee",
    47: "cpu-balloon",
    49: "usb",
}
# Numbers in use that the specification does not have: of crosvm, and of virtio-nvrm.
_OUTSIDE = {
    60: "nvrm",
    61: "pvclock",
    62: "tpm",
    63: "wl",
}

UNDESCRIBED_DEVICES = tuple(
    Device(
        number,
        name,
        Layout(f"{name}_configuration", tail=Tail(raw("data", 0))),
        BitSet(f"{name} features", (), source="virtio specification, Device Types"),
        note="" if number in _NAMES else "not in the virtio specification",
    )
    for number, name in (_NAMES | _OUTSIDE).items()
)
