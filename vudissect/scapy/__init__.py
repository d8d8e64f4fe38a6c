"""vhost-user in scapy: a layer for each message, generated from the table. `from vudissect.scapy import *`.

Nothing else in the package imports this; docs/scapy.md has recipes.
"""

try:
    import scapy  # noqa: F401
except ModuleNotFoundError:
    raise ModuleNotFoundError("vudissect.scapy needs scapy: pip install 'vudissect[scapy]'", name="scapy") from None

from scapy.compat import raw
from scapy.config import conf
from scapy.packet import Packet, Padding, Raw, fuzz, ls
from scapy.plist import PacketList
from scapy.sendrecv import sniff, sr, sr1
from scapy.supersocket import StreamSocket
from scapy.utils import PcapNgWriter, PcapWriter, corrupt_bits, corrupt_bytes, hexdiff, hexdump, wrpcapng
from scapy.volatile import RandBin, RandByte, RandInt, RandLong, RandNum, RandShort

from vudissect.capture.blocks import LINK_TYPE_EXPORTED_PDU
from vudissect.protocol.devices import DEVICES
from vudissect.protocol.table import UPSTREAM
from vudissect.scapy.files import PcapNgReader, PcapReader, rdpcap, wrpcap
from vudissect.scapy.generate import config_layer, layers, layers_of
from vudissect.scapy.record import ExportedPduTag, VhostUserDescriptor, VhostUserEvent

_LAYERS = {
    **layers(UPSTREAM, "little").by_name,
    **{layer.__name__: layer for layer in (config_layer(device) for device in DEVICES if device.config.fields)},
}

globals().update(_LAYERS)
conf.l2types.register(LINK_TYPE_EXPORTED_PDU, _LAYERS["ExportedPdu"])

__all__ = [
    "ExportedPduTag",
    "Packet",
    "PacketList",
    "Padding",
    "PcapNgReader",
    "PcapNgWriter",
    "PcapReader",
    "PcapWriter",
    "RandBin",
    "RandByte",
    "RandInt",
    "RandLong",
    "RandNum",
    "RandShort",
    "Raw",
    "StreamSocket",
    "VhostUserDescriptor",
    "VhostUserEvent",
    "conf",
    "corrupt_bits",
    "corrupt_bytes",
    "fuzz",
    "hexdiff",
    "hexdump",
    "layers_of",
    "ls",
    "raw",
    "rdpcap",
    "sniff",
    "sr",
    "sr1",
    "wrpcap",
    "wrpcapng",
    *_LAYERS,
]
