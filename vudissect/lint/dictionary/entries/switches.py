"""Lines of Open vSwitch, VPP and snabb."""

from functools import partial

from vudissect.lint.dictionary.entry import Fate, LogLine, Suspect
from vudissect.lint.dictionary.program import Program
from vudissect.protocol.purpose import Purpose

_ovs = partial(LogLine, Program.OPEN_VSWITCH, "Open vSwitch lib/netdev-dpdk.c")
_vpp = partial(LogLine, Program.VPP, "VPP src/plugins/vhost/vhost_user.c")
_snabb = partial(LogLine, Program.SNABB, "snabb src/apps/vhost, src/lib/virtio")
_MEMORY = (Purpose.REPLACE_MEMORY, Purpose.ADD_MEMORY)

LINES = (
    _ovs(
        (
            "vhost-user socket device setup failure",
            "vhost-user device setup failure",
            "rte_vhost_driver_{word} failed for vhost",
            "vhost_common_construct failed for vhost",
            "Error detected while setting up '{word}'",
            "is not a valid name for a vhost-user port",
            "vhost-user sock directory",
        ),
        "Open vSwitch could not set up the port.",
        Suspect.SETTINGS,
        "the lines of DPDK before it; vhost-server-path and its directory",
        fate=Fate.UNREACHABLE,
    ),
    _ovs(
        (
            "Removing port '{word}' while vhost device still attached",
            "To restore connectivity after re-adding of port",
            "Connection on socket '{path}' destroyed while vhost device still attached",
            "Unable to unregister vhost driver for socket",
        ),
        "A port is removed while a VM is connected to it. With dpdkvhostuser (server) ports the VM has to be "
        "restarted.",
        Suspect.BACK_END,
        "dpdkvhostuserclient ports, which can be connected again",
        ("VU-TIM-02",),
        fate=Fate.CLOSED,
    ),
    _ovs(
        ("closed during initialization",),
        "The front-end closed the connection before a ring ran: it gave up while setting up.",
        Suspect.FRONT_END,
        "the log of QEMU at that time; the number of queues",
        ("VU-RPL-08", "VU-VRG-01", "VU-TIM-02"),
        fate=Fate.CLOSED,
    ),
    _ovs(
        ("vHost Device '{path}' has been removed", "vHost Device '{path}' connection has been destroyed"),
        "The front-end stopped its rings or closed the connection. Normal when the VM or its driver stops.",
        Suspect.OTHER,
        "the log of the front-end at that time",
        ("VU-RPL-08",),
        (Purpose.STOP_RING,),
        Fate.CLOSED,
    ),
    _ovs(
        (
            "vHost Device '{path}' not found",
            "can't be added - name not found",
            "Error getting NUMA info for vHost Device",
            "Error checking guest features for vHost Device",
        ),
        "Open vSwitch does not know the device that DPDK names, or cannot ask it.",
        Suspect.BACK_END,
        "whether the port was removed or renamed",
    ),
    _ovs(
        (
            "has been added on numa node",
            "State of queue {ring} ( {word} {n} ) of vhost device",
            "created for vhost-user port",
            "created in 'client' mode",
            "IOMMU support for vhost-user-client",
            "POSTCOPY support for vhost-user-client",
            "Max Tx retries for vhost device",
        ),
        "What Open vSwitch logs when all is well.",
        Suspect.NOBODY,
        "whether all queues that the guest uses are enabled",
    ),
    _ovs(
        (
            "vhost-postcopy-support and mlockall are not compatible",
            "dpdkvhostuser ports are considered deprecated",
            "vring state change queue has",
            "unsupported MTU",
        ),
        "A setting of Open vSwitch that does not fit, or more changes of rings than it keeps up with.",
        Suspect.SETTINGS,
        "other_config of Open vSwitch",
    ),
    _vpp(
        ("unknown vhost-user message {request} received",),
        "VPP does not know this message and closes the connection.",
        Suspect.FRONT_END,
        "which feature the message needs, and whether VPP offered it",
        ("VU-HDR-01",),
    ),
    _vpp(
        (
            "failed to map memory. errno is {errno}",
            "failed to map user memory",
            "failed to unmap memory region",
            "failed to map guest mem addr",
        ),
        "The file of a memory region cannot be mapped.",
        Suspect.FRONT_END,
        "size and offset of the region against its file; free huge pages and limits of VPP",
        ("VU-FD-10", "VU-FD-06", "VU-MEM-04"),
        _MEMORY,
    ),
    _vpp(
        (
            "each memory region must have FD",
            "number of mem regions must be between 1 and",
            "More than one fd received",
            "MSG_CTRUNC is set",
        ),
        "The number of regions or descriptors is not what VPP has room for, or some were lost.",
        Suspect.FRONT_END,
        "the descriptors of the message",
        ("VU-FD-01", "VU-FD-02", "VU-MEM-01", "VU-HDR-10"),
        _MEMORY,
    ),
    _vpp(
        (
            "malformed message received. closing socket",
            "vhost message is too short",
            "message too short (read",
            "!= VHOST_USER_MSG_HDR_SZ",
            "recvmsg returned error",
            "read failed ",
        ),
        "A message does not have the size that VPP expects: it was split, is malformed, or the connection ended.",
        Suspect.FRONT_END,
        "the size and whether it was sent with one write",
        ("VU-HDR-07", "VU-HDR-09", "VU-RPL-08"),
        fate=Fate.CLOSED,
        named=True,
    ),
    _vpp(
        (
            "invalid vring index VHOST_USER_{message}:",
            "invalid vring idx VHOST_USER_{message}:",
            "invalid VHOST_USER_{message}:",
            "invalid msg size for VHOST_USER_{message}",
        ),
        "A message for a ring has an index or a value that VPP does not accept; it closes the connection.",
        Suspect.FRONT_END,
        "the number of queues, and the size of the ring",
        ("VU-VRG-01", "VU-VRG-02", "VU-HDR-07"),
    ),
    _vpp(
        (
            "VHOST_USER_PROTOCOL_F_LOG_SHMFD not set but",
            "vhost_user_log_dirty_pages(): out of range",
            "map log region addr",
        ),
        "The dirty log is used without its feature, or is too short for the guest's memory.",
        Suspect.FRONT_END,
        "LOG_SHMFD, and the size of the log",
        ("VU-LOG-01", "VU-LOG-02"),
        (Purpose.SET_LOG,),
    ),
    _vpp(
        (
            "could not send message response",
            "socket error on if {n}",
            "interface ifindex {n} disconnected",
            "interface {n} disconnected",
            "Close client socket for vhost interface",
            "getsockopt returned",
        ),
        "The connection with the front-end ended.",
        Suspect.OTHER,
        "the log of the front-end at that time",
        ("VU-RPL-08",),
        fate=Fate.CLOSED,
        named=True,
    ),
    _vpp(
        (
            "if {n} msg VHOST_USER_{message}",
            "if {n} VHOST_USER_{message}",
            "New client socket for vhost interface",
            "map memory region {n} addr",
            "unmap memory region",
            "if {n} KICK queue",
        ),
        "VPP's trace: this message was received.",
        Suspect.NOBODY,
        "what follows it",
    ),
    _vpp(
        (
            "unable to set rx mode for interface",
            "unable to unassign interface",
            "vhost_user_create_if returned",
            "Driver does not support interrupt",
            "Queue initialization is not finished yet",
        ),
        "VPP could not set up its side of the interface.",
        Suspect.BACK_END,
        "show vhost-user in VPP",
        (),
        (Purpose.SET_KICK, Purpose.ENABLE_RING),
    ),
    _snabb(
        ("net_device.lua:{n}: attempt to index a nil value", "vhost_user: unrecognized request: {request}"),
        "A message without a handler was received: snabb has no protocol features.",
        Suspect.FRONT_END,
        "which message, and whether snabb offered what it needs",
        ("VU-HDR-01", "VU-NEG-03"),
    ),
    _snabb(
        (
            "vhost_user: Connection went down",
            "vhost_user: Connected and initialized",
            "mapping to host address failed",
            "vring_num should be power of 2",
            "vhost_user: Skipped old feature cache",
            "vhost_user: Caching features",
            "vhost_user: Read cached features",
        ),
        "snabb's connection ended or was opened again, or an address or size of a ring cannot be used.",
        Suspect.OTHER,
        "how the connection ended; regions and ring addresses",
        ("VU-RPL-08", "VU-MEM-05", "VU-VRG-02"),
        (Purpose.SET_RING_ADDRESSES,),
        Fate.CLOSED,
    ),
)
