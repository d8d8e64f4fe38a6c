"""The protocol in its first two years, before it had protocol features."""

from dataclasses import replace

from vudissect.protocol import payloads
from vudissect.protocol.dialects.dialect import Dialect, upstream_row
from vudissect.protocol.fields import u32
from vudissect.protocol.model import Answer, Array, Channel, Descriptors, FdKind, Layout, Meaning, Row
from vudissect.protocol.payloads import NOTHING
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.since import Since, qemu

_VOS = "Virtual Open Systems"
_SPEC_2014 = "QEMU docs/specs/vhost-user.txt of 2014"
_SPEC_2015 = "QEMU docs/specs/vhost-user.txt of 2015-10"

_REGION_2014 = Layout("memory_region.2014", payloads.REGION.fields[:3])
MEM_TABLE_2014 = replace(
    payloads.MEM_TABLE,
    key="memory_table.2014",
    title="",
    array=Array("regions", _REGION_2014, "nregions"),
    note="before 2014-06-29 regions had no offset into the file",
)


def _first(number: int) -> Row:
    """A message of the first protocol: it has a reply, or is not answered at all."""
    row = upstream_row(Channel.MAIN, number)
    if row.answer is Answer.ALWAYS:
        return row
    if row.purpose is Purpose.REPLACE_MEMORY:
        row = replace(row, request=(payloads.MEM_TABLE, MEM_TABLE_2014))
    elif row.purpose is Purpose.SET_LOG:
        row = replace(row, request=(payloads.LOG_ADDRESS,), fds=Descriptors())
    return replace(row, answer=Answer.NEVER, reply=())


V1_BASE = Dialect(
    key="v1-base",
    title="the first protocol",
    when="2014-06-29 to 2015-09",
    who="QEMU 2.1 to 2.4, Snabb, DPDK before 2.2",
    source=_SPEC_2014,
    note="Fourteen messages, no protocol features, no acknowledgements. Regions are 32 bytes, or 24 before 3fd74b8407.",
    as_of=qemu("2.4"),
    rows=tuple(_first(number) for number in range(1, 15)),
)

_FILE = Layout(
    "vring_file", (u32("index", Meaning.RING), u32("fd", Meaning.HEX, note="number of the sender's descriptor"))
)

VOS_RFC = Dialect(
    key="vos-rfc",
    title="the patches before the merge",
    when="2013-12 to 2014-05",
    who=f"{_VOS}: patches, vapp; early Snabb",
    source=f"qemu-devel mailing list, 2013-12 to 2014-05, {_VOS}: vhost-user",
    note="The earliest of these patches had no size in the header (request, flags, union): such traffic cannot be "
    "split into messages and is not decoded. The payload of ECHO is not documented.",
    base=V1_BASE,
    rows=(
        replace(V1_BASE.protocol.messages[4], request=(MEM_TABLE_2014,)),
        Row(
            Channel.MAIN,
            15,
            "NET_SET_BACKEND",
            "Starts or stops a ring, as the ioctl of vhost-net does.",
            (_FILE,),
            Answer.NEVER,
            fds=Descriptors(FdKind.FILE, 0, 1),
            since=Since("patches of", "2013-12"),
            source=f"vapp of {_VOS}, vhost_user.h",
        ),
        Row(
            Channel.MAIN,
            16,
            "ECHO",
            "Checks whether the peer is alive.",
            NOTHING,
            Answer.ALWAYS,
            NOTHING,
            since=Since("patches of", "2014"),
            source=f"vapp of {_VOS}, vhost_user.h",
        ),
    ),
)

DOC_OFF_BY_ONE = Dialect(
    key="doc-offbyone",
    title="the document in its first week",
    when="2014-06-19 to 2014-06-29",
    who="QEMU docs/specs/vhost-user.txt as first merged",
    source="QEMU 5f6f6664bf; corrected by 46e797c4d3 (numbers) and 3fd74b8407 (regions)",
    note="Only the document counted from 2; no known program did.",
    base=V1_BASE,
    removed=((Channel.MAIN, 1),),
    rows=tuple(
        replace(
            row,
            id=row.id + 1,
            request=(MEM_TABLE_2014,) if row.purpose is Purpose.REPLACE_MEMORY else row.request,
        )
        for row in V1_BASE.protocol.messages
    ),
)

MQ_V1 = Dialect(
    key="mq-v1",
    title="the first multiple queues",
    when="2015-06-01 to 2015-07-20",
    who="QEMU in git before 2.4",
    source="QEMU 830d70db69, reverted by d345ed2da3",
    note="RESET_OWNER has the number of a queue pair.",
    base=V1_BASE,
    rows=(
        replace(
            V1_BASE.protocol.messages[3],
            summary="Resets one queue pair.",
            request=(payloads.VRING_STATE,),
            purpose=Purpose.NONE,
            source="QEMU 830d70db69",
        ),
    ),
)

RESET_DEVICE_4 = Dialect(
    key="reset-device-4",
    title="message 4 as RESET_DEVICE",
    when="2015-09 to 2015-11",
    who="QEMU in git before 2.5",
    source=_SPEC_2015,
    note="The name was changed back to RESET_OWNER before the release; RESET_DEVICE became a separate message in 2020.",
    as_of=qemu("2.5"),
    rows=(
        replace(
            upstream_row(Channel.MAIN, 4),
            name="RESET_DEVICE",
            aliases=("RESET_OWNER",),
            summary="Disables all rings, under a name that was later changed back.",
            source=_SPEC_2015,
        ),
    ),
)

DIALECTS = (V1_BASE, VOS_RFC, DOC_OFF_BY_ONE, MQ_V1, RESET_DEVICE_4)
