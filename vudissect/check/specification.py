"""What the vhost-user specification says must or should happen on the wire, and which cases try it.

In our words, by subject; `docs/conformance-specification.md` is made from it. Source: QEMU docs/interop/vhost-user.rst.
"""

from typing import NamedTuple


class Sentence(NamedTuple):
    """Something that must or should be so: for the back-end, the front-end, or both.

    `tried` has the ids of the cases that try it, with blanks between them; where there are none, `reason` says why.
    """

    level: str
    whose: str
    text: str
    tried: str = ""
    reason: str = ""

    @property
    def cases(self) -> tuple[str, ...]:
        """The ids of the cases."""
        return tuple(self.tried.split())


SENTENCES: dict[str, tuple[Sentence, ...]] = {
    "Header and communication": (
        Sentence("MUST", "both", "the version in the flags is 1", "FRM-04 FRM-05 F-44"),
        Sentence("MUST", "back-end", "the reply flag is set in each reply", "FRM-03 NEG-07 F-02"),
        Sentence(
            *("MUST", "both", "request, flags and size are 32 bits each, and size is that of the payload"),
            "FRM-08 FRM-09 FRM-10 FRM-11 FRM-18 FRM-19 FRM-20 F-05 F-06 F-22 F-45",
        ),
        Sentence(
            *("MUST", "both", "reserved bits of the flags are 0, and the reply flag is for replies"),
            "FRM-06 FRM-07 F-01 F-03",
        ),
        Sentence(
            *("MUST", "both", "numbers are in the byte order of the machine"),
            reason="both sides of a case run on the same machine: a wrong byte order fails every case",
        ),
        Sentence(
            *("MUST", "back-end", "requests that have a reply are answered, in the order in which they come"),
            "FRM-03 LIM-01 F-08",
        ),
        Sentence(
            *("MUST", "front-end", "descriptors go with the messages that have some, and with no others"),
            "FDS-01 FDS-07 FDS-08 F-24",
        ),
        Sentence("MUST", "front-end", "descriptors go with the first byte of the header", "FDS-09 FRM-17"),
        Sentence(
            *("SHOULD", "back-end", "to close the connection is for exceptional circumstances"),
            reason="every case: a connection that is closed is seen, and what it means is for the case to say",
        ),
        Sentence(
            *("MUST", "front-end", "a front-end that gets a wrong reply closes the connection"),
            "F-01 F-02 F-04 F-05 F-06",
        ),
    ),
    "Negotiation": (
        Sentence(
            *("MUST", "both", "extensions are used only if their protocol feature is negotiated"),
            "INB-01 END-01 CRY-01 CFG-06 STA-02 LIF-05 NEW-01 NEW-02 F-13 F-50",
        ),
        Sentence(
            *("MUST", "back-end", "GET_PROTOCOL_FEATURES and SET_PROTOCOL_FEATURES work before SET_FEATURES"),
            "NEG-01",
        ),
        Sentence("MUST", "front-end", "only features that are offered are acknowledged", "NEG-02 F-11 F-46"),
        Sentence("SHOULD", "front-end", "SET_VRING_ENABLE is sent only if bit 30 is negotiated", "NEG-12 F-12"),
        Sentence("SHOULD", "front-end", "GET_QUEUE_NUM is sent only if MQ is offered", "NEG-09 F-48"),
        Sentence("MUST", "back-end", "GET_QUEUE_NUM is answered with the number of rings that can be used", "NET-10"),
        Sentence(
            *("SHOULD", "back-end", "MQ is offered by every back-end"),
            reason="what a back-end offers is in its results, and is no behaviour",
        ),
        Sentence("MUST", "front-end", "MQ is not needed for devices with a fixed number of queues", "F-48"),
        Sentence("SHOULD", "front-end", "no more queues are used than the back-end has", "F-14 F-36"),
        Sentence("MUST", "both", "SET_FEATURES may come again, and takes effect then", "NEG-13 NEG-11"),
        Sentence("MUST", "front-end", "SET_OWNER is sent for a new connection", "NEG-05"),
    ),
    "REPLY_ACK": (
        Sentence(
            "MUST",
            "back-end",
            "a request with NEED_REPLY is acknowledged: with 0 for success, otherwise for failure",
            "NEG-08 FRM-13 F-25 F-70",
        ),
        Sentence(
            "MUST",
            "back-end",
            "a request that has a reply anyway is answered once, and not otherwise than without NEED_REPLY",
            "NEG-07 LOG-02",
        ),
        Sentence("MUST", "both", "NEED_REPLY means something only if REPLY_ACK is negotiated", "NEG-06 F-23 F-47"),
        Sentence(
            *("MUST", "front-end", "requests on the channel of the back-end with NEED_REPLY are acknowledged"),
            "F-31 F-56 F-57",
        ),
    ),
    "Ring states": (
        Sentence("MUST", "back-end", "a stopped ring is not processed", "RNG-18 RNG-16"),
        Sentence(
            *("MUST", "back-end", "a started and disabled ring is processed without side effects"),
            "RNG-14 RNG-29 RNG-38 LIF-03",
        ),
        Sentence(
            "MUST",
            "back-end",
            "a disabled ring of a network device: nothing is received, and what is sent is discarded",
            reason="DPDK and libvhost-user leave the ring alone, and no case can tell a discarded frame from a sent "
            "one",
        ),
        Sentence(
            *("MUST", "back-end", "a ring starts with a kick (up to QEMU 11.0), or with SET_VRING_KICK (from 11.1 on)"),
            "RNG-15 RNG-13",
        ),
        Sentence("MUST", "back-end", "a ring stops with GET_VRING_BASE", "RNG-18 RNG-32"),
        Sentence("MUST", "back-end", "without bit 30 a ring starts enabled", "NEG-10"),
        Sentence("MUST", "back-end", "with bit 30 a ring is disabled until SET_VRING_ENABLE 1", "RNG-14 RNG-12"),
        Sentence("MUST", "back-end", "rings are started and enabled independently of each other", "RNG-30 RNG-31"),
        Sentence(
            *("MUST", "back-end", "some aspects of a running ring can be changed"),
            "RNG-20 RNG-28 RNG-61 MEM-10 NEG-11",
        ),
        Sentence("MUST", "back-end", "a started and enabled ring is processed", "RNG-01 RNG-57 PKD-01"),
        Sentence(
            *("MUST", "back-end", "while all rings are stopped, nothing of the device changes: it is suspended"),
            "CHN-07 NEW-06 DST-02",
        ),
    ),
    "Messages about rings": (
        Sentence(
            *("MUST", "back-end", "SET_VRING_NUM sets the size: a power of 2 in split rings, at most 32768"),
            "RNG-02 RNG-03 RNG-04 RNG-62 PKD-06 PKD-07",
        ),
        Sentence("MUST", "back-end", "the parts of a ring are aligned", "RNG-11"),
        Sentence(
            *("MUST", "back-end", "GET_VRING_BASE is answered with the next entry of the available ring"),
            "RNG-16 RNG-17 RNG-19 RNG-37 RNG-58 F-29 F-65",
        ),
        Sentence("MUST", "back-end", "the base of a split ring has 16 bits", "RNG-25 RNG-58"),
        Sentence(
            *("MUST", "back-end", "the base of a packed ring has the places of both rings and both wrap counters"),
            "PKD-02 PKD-03 PKD-05",
        ),
        Sentence(
            "MUST", "back-end", "requests are completed before GET_VRING_BASE is answered", "RNG-16 RNG-37 INF-15"
        ),
        Sentence("MUST", "back-end", "bit 8 of SET_VRING_KICK: the ring is polled", "FDS-04"),
        Sentence("MUST", "back-end", "bit 8 of SET_VRING_CALL: nothing is signalled", "RNG-35"),
        Sentence("MUST", "both", "bit 8 and a descriptor exclude each other", "FDS-02 FDS-03"),
        Sentence("SHOULD", "back-end", "an error of a ring is signalled by the err descriptor", "RNG-39 F-64"),
        Sentence("MUST", "back-end", "SET_VRING_ENABLE has 0 or 1", "RNG-12"),
        Sentence(
            *("SHOULD", "back-end", "with CROSS_ENDIAN both byte orders work"),
            reason="no device here is a legacy one of the other byte order",
        ),
    ),
    "Memory": (
        Sentence(
            *("MUST", "back-end", "a region has a descriptor, in the order of the regions"),
            "FDS-05 FDS-06 MEM-09 MEM-01 F-25",
        ),
        Sentence("MUST", "both", "a memory table has at most 8 regions", "MEM-02 MEM-29 MEM-30"),
        Sentence("MUST", "both", "regions have 32 bytes, with XEN_MMAP 40", "MEM-26 MEM-16"),
        Sentence(
            *("MUST", "back-end", "user addresses and guest addresses mean the region that has them"),
            "MEM-24 MEM-27 MEM-36 RNG-36",
        ),
        Sentence("MUST", "back-end", "GPA_ADDRESSES: user addresses are guest addresses", "MEM-25 MEM-28"),
        Sentence("MUST", "back-end", "a table replaces the one before", "MEM-17 RNG-27"),
        Sentence("SHOULD", "back-end", "GET_MAX_MEM_SLOTS is answered with the number of slots", "MEM-14 F-15 F-38"),
        Sentence(
            *("MUST", "back-end", "ADD_MEM_REG: the region is mapped, from exactly one descriptor"),
            "MEM-11 MEM-31 MEM-35",
        ),
        Sentence(
            "MUST",
            "back-end",
            "REM_MEM_REG: the region is unmapped, which has this guest address, user address and size",
            "MEM-12 MEM-18 MEM-35 MEM-37",
        ),
        Sentence("SHOULD", "front-end", "REM_MEM_REG has no descriptor", "MEM-13"),
        Sentence("MUST", "back-end", "a descriptor of REM_MEM_REG is closed, and not used", "MEM-13"),
    ),
    "Configuration space": (
        Sentence(
            *("MUST", "back-end", "the reply to GET_CONFIG has the size of the request, or 0 for an error"),
            "CFG-01 CFG-02 CFG-03 CFG-04 CFG-05 CFG-09 CFG-10 CFG-11 CFG-16 CFG-18 F-16 F-17 F-18 F-51",
        ),
        Sentence(
            "MUST",
            "back-end",
            "SET_CONFIG: the flags are checked, and read-only fields are not written but for a migration",
            "CFG-07 CFG-08 CFG-14 CFG-19",
        ),
        Sentence(
            *(
                "MUST",
                "back-end",
                "CONFIG_CHANGE_MSG is sent when the configuration has changed, and GET_CONFIG has it",
            ),
            "CFG-15",
        ),
        Sentence(
            *("MUST", "front-end", "CONFIG_CHANGE_MSG on the channel is acknowledged if that is asked for"),
            "F-30 F-56",
        ),
    ),
    "Dirty log": (
        Sentence("MUST", "back-end", "SET_LOG_BASE is answered if LOG_SHMFD is negotiated", "LOG-01 LOG-02"),
        Sentence("MUST", "front-end", "SET_LOG_BASE brings the descriptor of the log", "LOG-06 F-34"),
        Sentence("SHOULD", "back-end", "what a request writes to is marked", "LOG-03"),
        Sentence(
            *("SHOULD", "back-end", "the used ring is marked where its addresses have the flag LOG"),
            "LOG-04 PKD-08",
        ),
        Sentence("MUST", "front-end", "the log covers all guest addresses", "LOG-08"),
        Sentence(
            *("SHOULD", "back-end", "marks are made by atomic operations"),
            reason="a lost bit is a race that no case can construct from outside",
        ),
        Sentence(
            *("MUST", "back-end", "nothing is written after the rings are stopped, until they are started again"),
            "RNG-18 LOG-05",
        ),
        Sentence(
            *("SHOULD", "back-end", "SET_LOG_FD: an eventfd that may be signalled when the log has changed"),
            "LOG-09",
        ),
    ),
    "Postcopy": (
        Sentence("MUST", "back-end", "POSTCOPY_ADVISE: a userfaultfd comes", "PCP-01"),
        Sentence(
            "MUST",
            "back-end",
            "POSTCOPY_LISTEN: shared memory is registered with it",
            reason="a page fault has to be served by the destination of a migration; the pages of PCP-03 are all there",
        ),
        Sentence(
            "MUST",
            "back-end",
            "memory messages are answered with addresses of the back-end after POSTCOPY_LISTEN, and an empty "
            "one follows",
            "PCP-02 PCP-03 PCP-06",
        ),
        Sentence("MUST", "back-end", "POSTCOPY_END is answered, and the userfaultfd is disabled", "PCP-04 PCP-07"),
    ),
    "In-flight memory": (
        Sentence(
            *("MUST", "back-end", "GET_INFLIGHT_FD: memory of the size that the reply has"),
            "INF-01 INF-02 INF-03 INF-06 INF-10 F-66 F-67 F-68",
        ),
        Sentence(
            *("MUST", "back-end", "requests in flight are marked, and done by the next back-end"),
            "INF-07 INF-08 INF-11 INF-12 INF-16",
        ),
        Sentence(
            *("MUST", "back-end", "a request that was used just before the end is not done again"),
            "INF-13 INF-14",
        ),
    ),
    "Device status": (
        Sentence(
            *("MUST", "back-end", "GET_STATUS is answered with the status that was set"),
            "STA-01 STA-03 STA-05 F-69",
        ),
        Sentence("MUST", "back-end", "status 0 resets the device", "STA-04 STA-06"),
    ),
    "Device state": (
        Sentence("MUST", "back-end", "SET_DEVICE_STATE_FD is only carried out while the device is suspended", "DST-02"),
        Sentence("MUST", "both", "direction is 0 or 1, phase is 0", "DST-05 DST-06"),
        Sentence("MUST", "back-end", "the state goes through the pipe up to its end", "DST-01 DST-03"),
        Sentence(
            "MUST",
            "back-end",
            "CHECK_DEVICE_STATE is answered with 0 if the state has come through, otherwise with an error",
            "DST-01 DST-03 DST-04",
        ),
    ),
    "Resets": (
        Sentence(
            *("MUST", "back-end", "RESET_DEVICE: all rings are disabled, and the device is as in the beginning"),
            "LIF-04",
        ),
        Sentence("SHOULD", "back-end", "RESET_OWNER is ignored, or disables all rings", "LIF-06"),
    ),
    "Channel of the back-end": (
        Sentence("MUST", "front-end", "SET_BACKEND_REQ_FD brings one socket", "CHN-05 FDS-11"),
        Sentence("MUST", "back-end", "SET_BACKEND_REQ_FD is acknowledged with 0 if it worked", "NEG-08 F-20 F-21"),
        Sentence(
            *("MUST", "both", "at most 8 descriptors go with a message on the channel"),
            reason="no message that a case can cause has more than one",
        ),
        Sentence("MUST", "back-end", "HOST_NOTIFIER: the size of the area is that of a page", "CHN-10"),
        Sentence("MUST", "both", "VRING_HOST_NOTIFIER_MSG is only sent with HOST_NOTIFIER", "CHN-09 F-59"),
        Sentence(
            "MUST",
            "back-end",
            "with ACCESS_PLATFORM addresses are translated; what has no entry is asked for on the channel",
            "IOT-01 IOT-02 IOT-06 IOT-08 F-32",
        ),
        Sentence(
            *("MUST", "back-end", "IOTLB_MSG is acknowledged with 0 for success, otherwise with another value"),
            "IOT-03 IOT-04 IOT-05 IOT-09",
        ),
        Sentence("SHOULD", "front-end", "IOTLB_MSG is only sent with ACCESS_PLATFORM", "IOT-07"),
        Sentence(
            "MUST",
            "both",
            "shared memory: regions, mappings and their removal",
            "NEW-01 SHM-01 SHM-02 SHM-03 SHM-04 SHM-05 SHM-06 F-33",
        ),
        Sentence(
            *("MUST", "back-end", "shared objects are offered, given to who asks for them, and withdrawn"),
            "SHO-01 SHO-02 SHO-03 SHO-04",
        ),
        Sentence(
            *("MUST", "front-end", "SHARED_OBJECT_LOOKUP is answered, and not with 0 if there is no such object"),
            "F-78",
        ),
    ),
    "Channel of a GPU (docs/interop/vhost-user-gpu.rst)": (
        Sentence(
            *("MUST", "back-end", "the features of the channel are asked for, and acknowledged if they are known"),
            "GPU-10",
        ),
        Sentence("MUST", "back-end", "the displays are those of the front-end", "GPU-11"),
        Sentence("MUST", "back-end", "SCANOUT: the size of what is shown", "GPU-12"),
        Sentence("MUST", "back-end", "UPDATE: 4 bytes for each pixel of the rectangle", "GPU-13"),
        Sentence(
            "MUST", "back-end", "GET_EDID: only if EDID is acknowledged, and the driver gets the answer", "GPU-16"
        ),
        Sentence(
            *("MUST", "back-end", "DMABUF_SCANOUT and DMABUF_UPDATE: the display shows a dma-buf"),
            reason="only what OpenGL draws on a GPU of the host is shown so; neither CI nor the reference has one",
        ),
    ),
    "In-band notifications": (
        Sentence(
            "SHOULD",
            "back-end",
            "the connection is closed if they are negotiated without BACKEND_REQ and REPLY_ACK",
            "NEG-04",
        ),
        Sentence("MUST", "front-end", "num is 0 in VRING_KICK", reason="the reference front-end uses descriptors"),
        Sentence("MUST", "back-end", "rings are kicked and called by messages", "INB-02 INB-03"),
    ),
    "Messages of network devices": (
        Sentence(
            "MUST",
            "back-end",
            "NET_SET_MTU is acknowledged with 0 if the MTU is valid, otherwise with another value",
            "NET-01",
        ),
        Sentence("SHOULD", "back-end", "SEND_RARP: a RARP is broadcast", "NET-02"),
    ),
    "Messages of crypto devices": (
        Sentence(
            *("MUST", "back-end", "CREATE_CRYPTO_SESSION is answered with an id, or a negative one"),
            "CRY-02 CRY-03",
        ),
    ),
    "Newest messages": (
        Sentence(
            *("MUST", "back-end", "GET_VRING_BASE_SKIP_DRAIN: the base is answered without waiting for requests"),
            "NEW-02 NEW-03 NEW-04 F-37",
        ),
        Sentence(
            *("MUST", "back-end", "what is in flight then stays in the in-flight memory, and is not done any more"),
            "NEW-05 NEW-06 NEW-07",
        ),
    ),
    "Conventions for programs": (
        Sentence("MUST", "back-end", "SIGTERM ends the program", "LIF-07 LIF-11"),
        Sentence(
            *("MUST", "back-end", "the program does not daemonize itself"),
            reason="a program that does cannot be checked: the suite says so",
        ),
        Sentence(
            *("MUST", "back-end", "--socket-path, --fd and --print-capabilities exist"),
            reason="the user writes the command",
        ),
        Sentence(
            *("SHOULD", "back-end", "a program that cannot enable a feature fails early"),
            reason="the suite shows its last words",
        ),
    ),
}
"""By subject, in the order of the specification."""
