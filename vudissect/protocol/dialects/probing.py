"""Drafts of 2023 in which a back-end reports which device it is, so that a front-end need not know."""

from vudissect.protocol.bits import Bit
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.fields import u32
from vudissect.protocol.model import Answer, Channel, Gate, Layout, Row
from vudissect.protocol.payloads import NOTHING
from vudissect.protocol.since import Since, qemu

_BENNEE = "A. Bennée, draft"
_STANDALONE_SOURCE = (
    "qemu-devel mailing list, 2023-07-04: docs/interop: define STANDALONE protocol feature for vhost-user"
)
_PROBE_NOTE = "A back-end for a front-end that does not know the device also needs STATUS, and CONFIG if it has a "

STANDALONE_V1 = Dialect(
    key="standalone-v1",
    title="GET_BACKEND_SPECS",
    when="2023-07-04",
    who=_BENNEE,
    source=_STANDALONE_SOURCE,
    note=f"{_PROBE_NOTE}config_size.",
    as_of=qemu("8.1"),
    bits=(Bit(18, "STANDALONE"),),
    rows=(
        Row(
            Channel.MAIN,
            41,
            "GET_BACKEND_SPECS",
            "Asks which device the back-end is.",
            NOTHING,
            Answer.ALWAYS,
            (Layout("back-end_specs", (u32("device_id"), u32("config_size"), u32("min_vqs"), u32("max_vqs"))),),
            gate=Gate(protocol=("STANDALONE",)),
            since=Since("draft of", "2023-07"),
            source=_STANDALONE_SOURCE,
        ),
    ),
)

_PROBE_SOURCE = "virtio-comment mailing list, 2023-09-01: define PROBE feature for vhost-user VirtIO devices"


def _probe(number: int, name: str, summary: str, field: str) -> Row:
    return Row(
        Channel.MAIN,
        number,
        name,
        summary,
        NOTHING,
        Answer.ALWAYS,
        (Layout(f"u32:{field}", (u32(field),)),),
        gate=Gate(protocol=("PROBE",)),
        since=Since("draft of", "2023-09"),
        source=_PROBE_SOURCE,
    )


PROBE_V2 = Dialect(
    key="probe-v2",
    title="GET_DEVICE_ID, GET_CONFIG_SIZE and GET_MIN_VQ",
    when="2023-09-01",
    who=_BENNEE,
    source=_PROBE_SOURCE,
    note=f"{_PROBE_NOTE}configuration space. The text still lists GET_BACKEND_SPECS, and the code its 16 bytes; they "
    "are left over from the previous draft and have no number here.",
    as_of=qemu("8.1"),
    bits=(Bit(18, "PROBE"),),
    rows=(
        _probe(41, "GET_DEVICE_ID", "Asks which virtio device the back-end is.", "device_id"),
        _probe(42, "GET_CONFIG_SIZE", "Asks how large the configuration space is.", "config_size"),
        _probe(43, "GET_MIN_VQ", "Asks for the minimum number of virtqueues.", "min_vqs"),
    ),
)

DIALECTS = (STANDALONE_V1, PROBE_V2)
