"""Drafts from the mailing lists: those that shaped the protocol, and those that were meant to and did not.

Drafts of a subsystem (shared memory, virtio-fs) are in the module of that subsystem. A draft has the messages that
existed when it was written, and its own.
"""

from dataclasses import replace

from vudissect.protocol import crypto, payloads
from vudissect.protocol.bits import Bit
from vudissect.protocol.dialects.dialect import Dialect, upstream_row
from vudissect.protocol.dialects.early import V1_BASE
from vudissect.protocol.fields import pad, raw, u8, u32, u64
from vudissect.protocol.model import (
    Answer,
    Array,
    Channel,
    Descriptors,
    FdKind,
    Gate,
    HeaderRules,
    Layout,
    Meaning,
    PhaseNeeded,
    Row,
)
from vudissect.protocol.payloads import NOTHING
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.since import Since, qemu

_LIST = "qemu-devel mailing list"

_MST_SOURCE = f"{_LIST}, 2015, M. Tsirkin: vhost-user protocol extensions (docs/specs/vhost-user.txt)"
_MUST_RUN = Gate(protocol=("MUST_RUN",))
_RUNNING = Layout(
    "vring_state:running", (u32("index", Meaning.RING), u32("num", choices={0: "not running", 1: "RUNNING"}))
)


def _mirrored(row: Row) -> Row:
    """A row of the first protocol, sent back as it is if it was not answered before."""
    if row.answer is Answer.ALWAYS:
        return row
    purpose = Purpose.HALT_RINGS if row.purpose is Purpose.DISABLE_RINGS else row.purpose
    return replace(row, answer=Answer.IF_REPLY_ALL, purpose=purpose)


MST_2015 = Dialect(
    key="mst-2015",
    title="protocol features, failures and SET_RUNNING of 2015",
    when="2015",
    who="M. Tsirkin, draft",
    source=_MST_SOURCE,
    note="Never merged. A request may have header version 1 or 2; the receiver answers with the same version or 1, "
    "and must ignore any other. Messages 15 to 18 are not valid in version 1. A back-end that cannot "
    "answer sends the request back with bit 31 of the request number set. A ring starts with SET_RUNNING, or with a "
    "kick unless MUST_RUN is negotiated, and stops with SET_RUNNING 0 or RESET_OWNER. The draft describes "
    "SET_PROTOCOL_FEATURES in the words of GET_PROTOCOL_FEATURES.",
    base=V1_BASE,
    bits=(
        Bit(0, "REPLY_ALL", note="every request is answered, at least by being sent back"),
        Bit(1, "MUST_RUN", note="no ring is processed before SET_RUNNING"),
    ),
    rows=(
        *(_mirrored(row) for row in V1_BASE.protocol.messages),
        Row(
            Channel.MAIN,
            15,
            "GET_RUNNING",
            "Asks whether the back-end processes a ring.",
            (_RUNNING,),
            Answer.ALWAYS,
            (_RUNNING,),
            gate=_MUST_RUN,
            version=2,
            since=Since("draft of", "2015"),
            source=_MST_SOURCE,
        ),
        Row(
            Channel.MAIN,
            16,
            "SET_RUNNING",
            "Starts or stops a ring.",
            (_RUNNING,),
            Answer.IF_REPLY_ALL,
            gate=_MUST_RUN,
            purpose=Purpose.RUN_RING,
            version=2,
            since=Since("draft of", "2015"),
            source=_MST_SOURCE,
        ),
        replace(
            upstream_row(Channel.MAIN, 15),
            id=17,
            gate=Gate(),
            version=2,
            since=Since("draft of", "2015"),
            source=_MST_SOURCE,
        ),
        replace(
            upstream_row(Channel.MAIN, 16),
            id=18,
            answer=Answer.IF_REPLY_ALL,
            gate=Gate(),
            version=2,
            since=Since("draft of", "2015"),
            source=_MST_SOURCE,
        ),
    ),
    header=HeaderRules(versions=(1, 2), error=1 << 31),
)

REPLY_ACK_V1 = Dialect(
    key="reply-ack-v1",
    title="the first REPLY_ACK",
    when="2016-07",
    who="P. Saxena, draft; QEMU 2.7 to 2.9, DPDK 16.11",
    source=f"{_LIST}, 2016-07: vhost-user: Introduce a new protocol feature REPLY_ACK",
    note="Header bit 3 is called need_response. The draft lists only four that are answered anyway: GET_FEATURES, "
    "GET_PROTOCOL_FEATURES, GET_VRING_BASE, and SET_LOG_BASE with LOG_SHMFD; the bit has no effect on these.",
    as_of=qemu("2.7"),
)

INPUT_RFC = Dialect(
    key="input-rfc",
    title="INPUT_GET_CONFIG",
    when="2016 to 2017",
    who="M. Lureau, vhost-user-input fork of QEMU and libvhost-user",
    source=f"{_LIST}, 2016: RFC vhost-user backends, vhost-user-input",
    as_of=qemu("2.6"),
    rows=(
        Row(
            Channel.MAIN,
            20,
            "INPUT_GET_CONFIG",
            "Reads all configurations of an input device at once.",
            NOTHING,
            Answer.ALWAYS,
            (
                Layout(
                    "input_configurations",
                    array=Array(
                        "configs",
                        Layout(
                            "input_configuration:selected",
                            (u8("select"), u8("subsel"), u8("size"), pad(5), raw("u", 128)),
                        ),
                    ),
                ),
            ),
            since=Since("fork of", "2016"),
            source="libvhost-user of that fork",
        ),
    ),
)

_SLAVE_SOURCE = f"{_LIST}, 2017-04-11, M. Coquelin: spec/vhost-user: Introduce secondary channel"

SLAVE_RFC = Dialect(
    key="slave-rfc",
    title="the secondary channel",
    when="2017-04",
    who="M. Coquelin, draft",
    source=_SLAVE_SOURCE,
    note="Adds an initiator to every message: the front-end, because the channel has no message of its own yet. The "
    "descriptor may be sent as soon as SLAVE_REQ is offered.",
    as_of=qemu("2.9"),
    bits=(Bit(5, "SLAVE_REQ", ("BACKEND_REQ",)),),
    rows=(
        replace(
            upstream_row(Channel.MAIN, 21),
            name="SET_SLAVE_REQ_FD",
            aliases=("SET_BACKEND_REQ_FD",),
            gate=Gate(
                protocol=("SLAVE_REQ",), phase=PhaseNeeded.OFFERED, note="and PROTOCOL_FEATURES (30) acknowledged"
            ),
            since=Since("draft of", "2017-04"),
            source=_SLAVE_SOURCE,
        ),
    ),
)

VFIO_RFC = Dialect(
    key="vfio-rfc",
    title="vhost accelerators through VFIO",
    when="2017-12 to 2018-02",
    who="T. Bie, draft",
    source=f"{_LIST}, 2017-12: vhost-user: introduce VFIO based accelerators",
    as_of=qemu("2.11"),
    bits=(Bit(7, "VFIO"),),
    rows=(
        Row(
            Channel.BACKEND,
            2,
            "VFIO_SET_VRING_GROUP_FD",
            "Passes the VFIO group of the device that serves a ring.",
            (payloads.VRING_FD,),
            fds=Descriptors(FdKind.FILE, 0, 1, unless="nofd"),
            gate=Gate(protocol=("BACKEND_REQ", "VFIO")),
            since=Since("draft of", "2017-12"),
            source=_LIST,
        ),
        Row(
            Channel.BACKEND,
            3,
            "VFIO_SET_VRING_NOTIFY_AREA",
            "Passes the device memory through which a ring is notified.",
            (payloads.VRING_AREA,),
            fds=Descriptors(FdKind.FILE, 0, 1, unless="nofd"),
            gate=Gate(protocol=("BACKEND_REQ", "VFIO")),
            since=Since("draft of", "2017-12"),
            source=_LIST,
        ),
    ),
)

_CONFIG_SOURCE = "QEMU 4c3e257b5e, docs/interop/vhost-user.txt"
_QUEUE_PAIRS = Layout("u64:queue_pairs", (u64("queues", note="queue pairs"),))

CONFIG_RFC = Dialect(
    key="config-rfc",
    title="the configuration space without a feature bit",
    when="2017-12 to 2018-04",
    who="C. Liu; QEMU in git before 2.12, the first SPDK vhost-blk",
    source=_CONFIG_SOURCE,
    note="The CONFIG feature came with QEMU 1c3e5a2617 on 2018-04-09. At the time the specification counted queues "
    "in pairs.",
    as_of=qemu("2.12"),
    removed_bits=(9,),
    rows=(
        replace(upstream_row(Channel.MAIN, 17), reply=(_QUEUE_PAIRS,), source=_CONFIG_SOURCE),
        *(
            replace(
                upstream_row(Channel.MAIN, number), gate=Gate(), since=qemu("", "4c3e257b5e"), source=_CONFIG_SOURCE
            )
            for number in (24, 25)
        ),
        replace(
            upstream_row(Channel.BACKEND, 2),
            gate=Gate(protocol=("BACKEND_REQ",)),
            since=qemu("", "4c3e257b5e"),
            source=_CONFIG_SOURCE,
        ),
    ),
)

CRYPTO_RFC = Dialect(
    key="crypto-rfc",
    title="crypto sessions before they were merged",
    when="2016-11 to 2018-02",
    who="Gonglei, draft",
    source=f"{_LIST}, 2016-11 to 2018-01: vhost-user: add vhost-user-crypto",
    note="The numbers are the current ones; the session is the first of the three generations.",
    base=CONFIG_RFC,
    removed=tuple((Channel.MAIN, number) for number in (28, 29, 30)),
    removed_bits=(8,),
    rows=(replace(upstream_row(Channel.MAIN, 26), request=(crypto.SESSION_C1,), reply=(crypto.SESSION_C1,)),),
)

_INBAND = Bit(13, "IN_BAND_NOTIFICATIONS", ("INBAND_NOTIFICATIONS",))

INBAND_RFC = Dialect(
    key="inband-rfc",
    title="in-band notifications before they were merged",
    when="2019-08 to 2019-09",
    who="J. Berg, draft",
    source=f"{_LIST}, 2019-09-11: docs: vhost-user: add in-band kick/call messages",
    note="Merged as feature 14 and message 35, because RESET_DEVICE had taken 13 and 34.",
    as_of=qemu("4.1"),
    bits=(_INBAND,),
    rows=(
        replace(
            upstream_row(Channel.MAIN, 35),
            id=34,
            gate=Gate(protocol=(_INBAND.name,)),
            since=Since("draft of", "2019-08"),
        ),
        *(
            replace(
                upstream_row(Channel.BACKEND, number),
                gate=Gate(protocol=("BACKEND_REQ", _INBAND.name)),
                since=Since("draft of", "2019-08"),
            )
            for number in (4, 5)
        ),
    ),
)

STATUS_RFC = Dialect(
    key="status-rfc",
    title="the device status before it was merged",
    when="2020-05-14",
    who="M. Coquelin, draft",
    source=f"{_LIST}, 2020-05-14: docs: vhost-user: add Virtio status protocol feature",
    note="There is no GET_STATUS. Merged as feature 16 and messages 39 and 40: the memory slots had taken 15 and 36.",
    as_of=qemu("5.0"),
    bits=(Bit(15, "STATUS"),),
    rows=(replace(upstream_row(Channel.MAIN, 39), id=36, since=Since("draft of", "2020-05")),),
)

_XEN_SOURCE = f"{_LIST}, 2026-07-02: Xen front-end support, v3"

XEN_RFC = Dialect(
    key="xen-rfc",
    title="QEMU as a front-end on Xen",
    when="2026-07-02",
    who="draft for QEMU",
    source=_XEN_SOURCE,
    note="Uses XEN_MMAP as specified, with a privcmd descriptor for each region and guest addresses for the rings; "
    "supports neither postcopy nor memory slots.",
    as_of=qemu("11.1"),
    removed=tuple((Channel.MAIN, number) for number in (28, 29, 30, 36, 37, 38)),
    removed_bits=(8, 15),
    rows=(
        replace(
            upstream_row(Channel.MAIN, 5),
            request=(payloads.MEM_TABLE_XEN,),
            answer=Answer.ON_REQUEST,
            reply=(),
            fds=Descriptors(FdKind.FILE, 1, 8, per="nregions", note="privcmd"),
            source=_XEN_SOURCE,
        ),
        replace(
            upstream_row(Channel.MAIN, 9),
            request=(
                replace(
                    payloads.VRING_ADDR,
                    key="vring_address:xen",
                    fields=tuple(
                        replace(field, meaning=Meaning.GUEST_ADDRESS)
                        if field.meaning is Meaning.RING_ADDRESS
                        else field
                        for field in payloads.VRING_ADDR.fields
                    ),
                ),
            ),
            source=_XEN_SOURCE,
        ),
    ),
)

DIALECTS = (
    MST_2015,
    REPLY_ACK_V1,
    INPUT_RFC,
    SLAVE_RFC,
    CONFIG_RFC,
    CRYPTO_RFC,
    VFIO_RFC,
    INBAND_RFC,
    STATUS_RFC,
    XEN_RFC,
)
