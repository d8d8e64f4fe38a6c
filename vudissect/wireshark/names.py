"""Filter names: one for each field of each payload, made from the names that the table gives.

`vhost_user.` + what the payload is about + the field's name: `vhost_user.vring.index`, `vhost_user.iotlb.iova`. What a
payload is about is the beginning of its layout's name; payloads of one field have none (`vhost_user.mtu`). Words of
bits have their bits below them: `vhost_user.protocol_features.mq`, `vhost_user.features.net.mq`.
"""

import re

from vudissect.protocol.model import Field, Layout

PREFIX = "vhost_user"

# By the beginning of a layout's name; what is not here goes by its whole name.
_SUBJECTS = {
    "vring": "vring",
    "memory": "memory",
    "all regions consumed": "memory",
    "log a": "log",
    "device configuration": "config",
    "device state": "device_state",
    "device status": "",
    "crypto": "crypto",
    "session id": "crypto",
    "inflight": "inflight",
    "shared memory": "shmem",
    "region size": "shmem",
    "external mapping": "shmem",
    "GPU memory": "shmem",
    "file mapping": "fs",
    "virtio features": "features",
    "GPU protocol features": "gpu_features",
    "dma-buf": "dmabuf",
    "cursor": "cursor",
    "EDID": "edid",
    "NVMe": "nvme",
    "fork's own": "",
    "success": "",
    "state": "",
    "ack": "",
    "u64": "",
    "u32": "",
    "MAC": "",
    "UUID": "",
}


def slug(text: str) -> str:
    """Text as part of a filter name: lower case letters, digits, `_` and `-`."""
    return re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_")


def subject(layout: Layout) -> str:
    """What a payload is about, as part of filter names; "" where its fields say it themselves."""
    for beginning, part in _SUBJECTS.items():
        if layout.name.startswith(beginning):
            return part
    return slug(layout.name.partition(" (")[0])


def joined(*parts: str) -> str:
    """A filter name from its parts, of which any may be empty."""
    return ".".join(part for part in (PREFIX, *parts) if part)


def field_name(about: str, field: Field) -> str:
    """The filter name of a field; a word of features is named by what it is about alone."""
    if field.name == "features" and about.endswith("features"):
        return joined(about)
    return joined(about, slug(field.name))
