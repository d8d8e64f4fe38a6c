"""Devices that move packets and frames: net, vsock, can, bt."""

from vudissect.protocol.bits import Bit, BitSet
from vudissect.protocol.fields import pad, raw, u8, u16, u32, u64
from vudissect.protocol.model import Device, Layout, Meaning

_NET_STATUS = BitSet("net status", (Bit(0, "LINK_UP"), Bit(1, "ANNOUNCE")))
_NET_HASH_TYPES = BitSet(
    "net hash types",
    (
        Bit(0, "IPv4"),
        Bit(1, "TCPv4"),
        Bit(2, "UDPv4"),
        Bit(3, "IPv6"),
        Bit(4, "TCPv6"),
        Bit(5, "UDPv6"),
        Bit(6, "IP_EX"),
        Bit(7, "TCP_EX"),
        Bit(8, "UDP_EX"),
    ),
)
_NET_TUNNEL_TYPES = BitSet(
    "net tunnel types",
    (
        Bit(0, "GRE_2784"),
        Bit(1, "GRE_2890"),
        Bit(2, "GRE_7676"),
        Bit(3, "GRE_UDP"),
        Bit(4, "VXLAN"),
        Bit(5, "VXLAN_GPE"),
        Bit(6, "GENEVE"),
        Bit(7, "IPIP"),
        Bit(8, "NVGRE"),
    ),
)
_BEYOND_WORD = "does not fit the 64-bit feature word of vhost-user"

NET = Device(
    1,
    "net",
    Layout(
        "net_configuration",
        (
            raw("mac", 6, Meaning.MAC, note="written by legacy drivers only", writable=True),
            u16("status", bits=_NET_STATUS),
            u16("max_virtqueue_pairs"),
            u16("mtu", note="bytes"),
            u32("speed", note="Mbit/s, 0xffffffff means unknown"),
            u8("duplex", choices={0: "half", 1: "full", 255: "unknown"}),
            u8("rss_max_key_size", Meaning.SIZE),
            u16("rss_max_indirection_table_length"),
            u32("supported_hash_types", bits=_NET_HASH_TYPES),
            u32("supported_tunnel_types", bits=_NET_TUNNEL_TYPES),
        ),
    ),
    BitSet(
        "net features",
        (
            Bit(0, "CSUM"),
            Bit(1, "GUEST_CSUM"),
            Bit(2, "CTRL_GUEST_OFFLOADS"),
            Bit(3, "MTU"),
            Bit(5, "MAC"),
            Bit(6, "GSO", note="legacy devices only"),
            Bit(7, "GUEST_TSO4"),
            Bit(8, "GUEST_TSO6"),
            Bit(9, "GUEST_ECN"),
            Bit(10, "GUEST_UFO"),
            Bit(11, "HOST_TSO4"),
            Bit(12, "HOST_TSO6"),
            Bit(13, "HOST_ECN"),
            Bit(14, "HOST_UFO"),
            Bit(15, "MRG_RXBUF"),
            Bit(16, "STATUS"),
            Bit(17, "CTRL_VQ"),
            Bit(18, "CTRL_RX"),
            Bit(19, "CTRL_VLAN"),
            Bit(20, "CTRL_RX_EXTRA"),
            Bit(21, "GUEST_ANNOUNCE"),
            Bit(22, "MQ"),
            Bit(23, "CTRL_MAC_ADDR"),
            Bit(50, "DEVICE_STATS"),
            Bit(51, "HASH_TUNNEL"),
            Bit(52, "VQ_NOTF_COAL"),
            Bit(53, "NOTF_COAL"),
            Bit(54, "GUEST_USO4"),
            Bit(55, "GUEST_USO6"),
            Bit(56, "HOST_USO"),
            Bit(57, "HASH_REPORT"),
            Bit(59, "GUEST_HDRLEN"),
            Bit(60, "RSS"),
            Bit(61, "RSC_EXT"),
            Bit(62, "STANDBY"),
            Bit(63, "SPEED_DUPLEX"),
            Bit(64, "RSS_CONTEXT", note=_BEYOND_WORD),
            Bit(65, "GUEST_UDP_TUNNEL_GSO", note=_BEYOND_WORD),
            Bit(66, "GUEST_UDP_TUNNEL_GSO_CSUM", note=_BEYOND_WORD),
            Bit(67, "HOST_UDP_TUNNEL_GSO", note=_BEYOND_WORD),
            Bit(68, "HOST_UDP_TUNNEL_GSO_CSUM", note=_BEYOND_WORD),
            Bit(69, "OUT_NET_HEADER", note=_BEYOND_WORD),
            Bit(70, "IPSEC", note=_BEYOND_WORD),
        ),
        source="virtio specification, Network Device",
    ),
    ("rx*", "tx*", "ctrl"),
)

VSOCK = Device(
    19,
    "vsock",
    Layout("vsock_configuration", (u64("guest_cid"),)),
    BitSet(
        "vsock features",
        (Bit(0, "STREAM"), Bit(1, "SEQPACKET"), Bit(2, "NO_IMPLIED_STREAM")),
        source="virtio specification, Socket Device",
    ),
    ("rx", "tx", "event"),
    note="many back-ends leave the event queue to the front-end; crosvm's handle all three",
)

CAN = Device(
    36,
    "can",
    Layout("can_configuration", (u16("status", bits=BitSet("can status", (Bit(0, "CTRL_BUSOFF"),))),)),
    BitSet(
        "can features",
        (
            Bit(0, "CAN_CLASSIC"),
            Bit(1, "CAN_FD"),
            Bit(2, "RTR_FRAMES"),
            Bit(3, "LATE_TX_ACK"),
        ),
        source="virtio specification, CAN Device",
    ),
    ("tx", "rx", "control"),
)

BT = Device(
    40,
    "bt",
    Layout(
        "bt_configuration",
        (
            u8("type", choices={0: "primary", 1: "AMP"}),
            pad(1, "alignment"),
            u16("vendor", choices={0: "none", 1: "Zephyr", 2: "Intel", 3: "Realtek"}),
            u16("msft_opcode", Meaning.HEX),
        ),
        note="with CONFIG_V2; without it there is no alignment byte (5 bytes)",
    ),
    BitSet(
        "bt features",
        (Bit(0, "VND_HCI"), Bit(1, "MSFT_EXT"), Bit(2, "AOSP_EXT"), Bit(3, "CONFIG_V2")),
        source="Linux include/uapi/linux/virtio_bt.h",
    ),
    ("tx", "rx"),
)

NETWORK_DEVICES = (NET, VSOCK, CAN, BT)
