"""Devices that are part of the machine: memory, entropy, clock, IOMMU, firmware, and the low-speed buses."""

from vudissect.protocol.bits import Bit, BitSet
from vudissect.protocol.fields import pad, u8, u16, u32, u64
from vudissect.protocol.model import BitField, Device, Layout, Meaning

RNG = Device(
    4,
    "rng",
    Layout("rng_configuration"),
    BitSet("rng features", (), source="virtio specification, Entropy Device"),
    ("request",),
)

BALLOON = Device(
    5,
    "balloon",
    Layout(
        "balloon_configuration",
        (
            u32("num_pages", note="pages of 4096 bytes"),
            u32("actual", note="pages of 4096 bytes", writable=True),
            u32("free_page_hint_cmd_id", note="with FREE_PAGE_HINT"),
            u32("poison_val", Meaning.HEX, note="with PAGE_POISON", writable=True),
        ),
    ),
    BitSet(
        "balloon features",
        (
            Bit(0, "MUST_TELL_HOST"),
            Bit(1, "STATS_VQ"),
            Bit(2, "DEFLATE_ON_OOM"),
            Bit(3, "FREE_PAGE_HINT"),
            Bit(4, "PAGE_POISON"),
            Bit(5, "REPORTING", ("PAGE_REPORTING",)),
        ),
        source="virtio specification, Traditional Memory Balloon Device",
    ),
    ("inflate", "deflate", "stats", "free page", "reporting"),
    note="each queue after the second needs its feature",
)

RTC = Device(
    17,
    "rtc",
    Layout("rtc_configuration"),
    BitSet("rtc features", (Bit(0, "ALARM"),), source="virtio specification, RTC Device"),
    ("request", "alarm"),
)

IOMMU = Device(
    23,
    "iommu",
    Layout(
        "iommu_configuration",
        (
            u64("page_size_mask", Meaning.HEX),
            u64("input_range_start", Meaning.IOVA),
            u64("input_range_end", Meaning.IOVA),
            u32("domain_range_start"),
            u32("domain_range_end"),
            u32("probe_size", Meaning.SIZE),
            u8("bypass", choices={0: "off", 1: "on"}, note="with BYPASS_CONFIG", writable=True),
            pad(3, "reserved"),
        ),
    ),
    BitSet(
        "iommu features",
        (
            Bit(0, "INPUT_RANGE"),
            Bit(1, "DOMAIN_RANGE"),
            Bit(2, "MAP_UNMAP"),
            Bit(3, "BYPASS"),
            Bit(4, "PROBE"),
            Bit(5, "MMIO"),
            Bit(6, "BYPASS_CONFIG"),
        ),
        source="virtio specification, IOMMU Device",
    ),
    ("request", "event"),
)

MEM = Device(
    24,
    "mem",
    Layout(
        "mem_configuration",
        (
            u64("block_size", Meaning.SIZE),
            u16("node_id", note="with ACPI_PXM"),
            pad(6),
            u64("addr", Meaning.GUEST_ADDRESS),
            u64("region_size", Meaning.SIZE),
            u64("usable_region_size", Meaning.SIZE),
            u64("plugged_size", Meaning.SIZE),
            u64("requested_size", Meaning.SIZE),
        ),
    ),
    BitSet(
        "mem features",
        (Bit(0, "ACPI_PXM"), Bit(1, "UNPLUGGED_INACCESSIBLE"), Bit(2, "PERSISTENT_SUSPEND")),
        source="virtio specification, Memory Device",
    ),
    ("guest request",),
)

SCMI = Device(
    32,
    "scmi",
    Layout("scmi_configuration"),
    BitSet(
        "scmi features",
        (Bit(0, "P2A_CHANNELS"), Bit(1, "SHARED_MEMORY")),
        source="virtio specification, SCMI Device",
    ),
    ("command", "event"),
)

I2C = Device(
    34,
    "i2c",
    Layout("i2c_configuration"),
    BitSet(
        "i2c features",
        (Bit(0, "ZERO_LENGTH_REQUEST", note="mandatory"),),
        source="virtio specification, I2C Adapter Device",
    ),
    ("request",),
)

GPIO = Device(
    41,
    "gpio",
    Layout("gpio_configuration", (u16("ngpio"), pad(2), u32("gpio_names_size", Meaning.SIZE))),
    BitSet("gpio features", (Bit(0, "IRQ"),), source="virtio specification, GPIO Device"),
    ("request", "event"),
)

_SPI_WIDTHS = BitSet("spi transfer widths", (Bit(0, "DUAL"), Bit(1, "QUAD"), Bit(2, "OCTAL")))
_SPI_MODES = (
    BitField("cpha", 0, 2, Meaning.HEX),
    BitField("cpol", 2, 2, Meaning.HEX),
    BitField("cs_active_high", 4, 1),
    BitField("lsb_first", 5, 1),
    BitField("loopback", 6, 1),
    BitField("reserved", 7, 25, Meaning.PADDING),
)

SPI = Device(
    45,
    "spi",
    Layout(
        "spi_configuration",
        (
            u8("cs_max_number"),
            u8("cs_change_supported", choices={0: "no", 1: "yes"}),
            u8("tx_nbits_supported", bits=_SPI_WIDTHS),
            u8("rx_nbits_supported", bits=_SPI_WIDTHS),
            u32("bits_per_word_mask", Meaning.HEX, note="bit n: words of n + 1 bits; 0 means no limit"),
            u32("mode_func_supported", parts=_SPI_MODES, note="cpha, cpol: bit 0 is phase or polarity 0, bit 1 is 1"),
            u32("max_freq_hz", note="0 means no limit"),
            u32("max_word_delay_ns"),
            u32("max_cs_setup_ns"),
            u32("max_cs_hold_ns"),
            u32("max_cs_inactive_ns"),
        ),
    ),
    BitSet("spi features", (), source="virtio specification, SPI Controller Device"),
    ("request",),
)

MACHINE_DEVICES = (RNG, BALLOON, RTC, IOMMU, MEM, SCMI, I2C, GPIO, SPI)
