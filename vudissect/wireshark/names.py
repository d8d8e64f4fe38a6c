"""Filter names: one for each field of each payload, derived from the names in the table.

`vhost_user.` + the subject of the payload + the field's name: `vhost_user.vring.index`, `vhost_user.iotlb.iova`. The
subject follows from the key of the layout; payloads of one field have none (`vhost_user.mtu`). The bits of a word
are below it: `vhost_user.protocol_features.mq`, `vhost_user.features.net.mq`.
"""

import re

from vudissect.protocol.model import Field, Layout

PREFIX = "vhost_user"

# By the beginning of a layout's key; others use their whole name.
_SUBJECTS = {
    "vring": "vring",
    "memory": "memory",
    "all_regions_consumed": "memory",
    "log_a": "log",
    "device_configuration": "config",
    "device_state": "device_state",
    "device_status": "",
    "crypto": "crypto",
    "session_id": "crypto",
    "inflight": "inflight",
    "shared_memory": "shmem",
    "region_size": "shmem",
    "external_mapping": "shmem",
    "gpu_memory": "shmem",
    "file_mapping": "fs",
    "virtio_features": "features",
    "gpu_protocol_features": "gpu_features",
    "dma-buf": "dmabuf",
    "cursor": "cursor",
    "edid": "edid",
    "nvme": "nvme",
    "forks_own": "",
    "success": "",
    "state": "",
    "ack": "",
    "u64": "",
    "u32": "",
    "mac_address": "",
    "uuid": "",
}


def slug(text: str) -> str:
    """Text as part of a filter name: lower case letters, digits, `_` and `-`."""
    return re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_")


def subject(layout: Layout) -> str:
    """The subject of a payload, as part of filter names; "" if its fields are clear enough."""
    for beginning, part in _SUBJECTS.items():
        if layout.key.startswith(beginning):
            return part
    return layout.form[0]


def joined(*parts: str) -> str:
    """A filter name from its parts, any of which may be empty."""
    return ".".join(part for part in (PREFIX, *parts) if part)


def short(name: str) -> str:
    """A filter name without the common prefix."""
    return name.removeprefix(f"{PREFIX}.")


def field_name(about: str, field: Field) -> str:
    """The filter name of a field; a feature word is named after its subject alone."""
    if field.name == "features" and about.endswith("features"):
        return joined(about)
    return joined(about, slug(field.name))
