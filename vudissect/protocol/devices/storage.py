"""Devices that store data: blk, scsi, 9p, fs, pmem, rpmb."""

from dataclasses import replace

from vudissect.protocol.bits import Bit, BitSet
from vudissect.protocol.fields import pad, raw, u8, u16, u32, u64
from vudissect.protocol.model import Device, Layout, Meaning, Tail

BLK = Device(
    2,
    "blk",
    Layout(
        "blk_configuration",
        (
            u64("capacity", Meaning.SECTORS),
            u32("size_max", Meaning.SIZE),
            u32("seg_max"),
            u16("cylinders"),
            u8("heads"),
            u8("sectors"),
            u32("blk_size", Meaning.SIZE),
            u8("physical_block_exp", note="logical blocks per physical block, as a power of 2"),
            u8("alignment_offset", note="logical blocks"),
            u16("min_io_size", note="logical blocks"),
            u32("opt_io_size", note="logical blocks"),
            u8("writeback", choices={0: "writethrough", 1: "writeback"}, writable=True),
            pad(1, "unused0"),
            u16("num_queues"),
            u32("max_discard_sectors", Meaning.SECTORS),
            u32("max_discard_seg"),
            u32("discard_sector_alignment", Meaning.SECTORS),
            u32("max_write_zeroes_sectors", Meaning.SECTORS),
            u32("max_write_zeroes_seg"),
            u8("write_zeroes_may_unmap", choices={0: "no", 1: "yes"}),
            pad(3, "unused1"),
            u32("max_secure_erase_sectors", Meaning.SECTORS, feature="SECURE_ERASE"),
            u32("max_secure_erase_seg", feature="SECURE_ERASE"),
            u32("secure_erase_sector_alignment", Meaning.SECTORS, feature="SECURE_ERASE"),
            u32("zone_sectors", Meaning.SECTORS, feature="ZONED"),
            u32("max_open_zones", feature="ZONED"),
            u32("max_active_zones", feature="ZONED"),
            u32("max_append_sectors", Meaning.SECTORS, feature="ZONED"),
            u32("write_granularity", Meaning.SIZE, feature="ZONED"),
            u8("zoned_model", choices={0: "not zoned", 1: "host-managed", 2: "host-aware"}, feature="ZONED"),
            replace(pad(3, "unused2"), feature="ZONED"),
        ),
    ),
    BitSet(
        "blk features",
        (
            Bit(0, "BARRIER", note="legacy devices only"),
            Bit(1, "SIZE_MAX"),
            Bit(2, "SEG_MAX"),
            Bit(4, "GEOMETRY"),
            Bit(5, "RO"),
            Bit(6, "BLK_SIZE"),
            Bit(7, "SCSI", note="legacy devices only"),
            Bit(9, "FLUSH", ("WCE",)),
            Bit(10, "TOPOLOGY"),
            Bit(11, "CONFIG_WCE"),
            Bit(12, "MQ"),
            Bit(13, "DISCARD"),
            Bit(14, "WRITE_ZEROES"),
            Bit(15, "LIFETIME"),
            Bit(16, "SECURE_ERASE"),
            Bit(17, "ZONED"),
        ),
        source="virtio specification, Block Device",
    ),
    ("request*",),
)

SCSI = Device(
    8,
    "scsi",
    Layout(
        "scsi_configuration",
        (
            u32("num_queues", note="request queues"),
            u32("seg_max"),
            u32("max_sectors"),
            u32("cmd_per_lun"),
            u32("event_info_size", Meaning.SIZE),
            u32("sense_size", Meaning.SIZE, writable=True),
            u32("cdb_size", Meaning.SIZE, writable=True),
            u16("max_channel"),
            u16("max_target"),
            u32("max_lun"),
        ),
    ),
    BitSet(
        "scsi features",
        (Bit(0, "INOUT"), Bit(1, "HOTPLUG"), Bit(2, "CHANGE"), Bit(3, "T10_PI")),
        source="virtio specification, SCSI Host Device",
    ),
    ("control", "event", "request*"),
)

NINE_P = Device(
    9,
    "9p",
    Layout("9p_configuration", (u16("tag_len", Meaning.SIZE),), tail=Tail(raw("tag", 0, Meaning.TEXT), ("tag_len",))),
    BitSet("9p features", (Bit(0, "MOUNT_TAG"),), source="Linux include/uapi/linux/virtio_9p.h"),
    ("request",),
)

FS = Device(
    26,
    "fs",
    Layout(
        "fs_configuration",
        (
            raw("tag", 36, Meaning.TEXT),
            u32("num_request_queues"),
            u32("notify_buf_size", Meaning.SIZE, feature="NOTIFICATION"),
        ),
    ),
    BitSet("fs features", (Bit(0, "NOTIFICATION"),), source="virtio specification, File System Device"),
    ("hiprio", "request*"),
    note="with NOTIFICATION, queue 1 is the notification queue; shared memory region 0 is the DAX cache",
)

PMEM = Device(
    27,
    "pmem",
    Layout("pmem_configuration", (u64("start", Meaning.GUEST_ADDRESS), u64("size", Meaning.SIZE))),
    BitSet("pmem features", (Bit(0, "SHMEM_REGION"),), source="virtio specification, PMEM Device"),
    ("request",),
)

RPMB = Device(
    28,
    "rpmb",
    Layout(
        "rpmb_configuration",
        (
            u8("capacity", note="units of 128 KiB"),
            u8("max_wr_cnt", note="blocks of 256 bytes in a request, 0 means no limit"),
            u8("max_rd_cnt", note="blocks of 256 bytes in a request, 0 means no limit"),
        ),
    ),
    BitSet("rpmb features", (), source="virtio specification, RPMB Device"),
    ("request",),
)

STORAGE_DEVICES = (BLK, SCSI, NINE_P, FS, PMEM, RPMB)
