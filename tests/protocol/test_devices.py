"""Device types: configuration spaces against the sizes and offsets of the virtio specification, and look-up."""

import pytest

from vudissect.protocol.bits import BitSet
from vudissect.protocol.devices import (
    DEVICES,
    config_candidates,
    device_by_id,
    device_by_name,
    feature_names,
    is_auxiliary,
)
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Device, Field, Meaning

# Written from the specification, not from the table.
CONFIG_SIZES = {
    "net": 28,
    "blk": 96,
    "console": 12,
    "rng": 0,
    "balloon": 16,
    "scsi": 36,
    "gpu": 20,
    "rtc": 0,
    "input": 136,
    "vsock": 8,
    "crypto": 56,
    "iommu": 40,
    "mem": 56,
    "sound": 16,
    "fs": 44,
    "pmem": 16,
    "rpmb": 3,
    "scmi": 0,
    "i2c": 0,
    "can": 2,
    "bt": 6,
    "gpio": 8,
    "spi": 32,
    "media": 40,
}

OFFSETS = {
    "net": {
        "mac": 0,
        "status": 6,
        "max_virtqueue_pairs": 8,
        "mtu": 10,
        "speed": 12,
        "duplex": 16,
        "rss_max_key_size": 17,
        "rss_max_indirection_table_length": 18,
        "supported_hash_types": 20,
        "supported_tunnel_types": 24,
    },
    "blk": {
        "capacity": 0,
        "size_max": 8,
        "seg_max": 12,
        "cylinders": 16,
        "heads": 18,
        "sectors": 19,
        "blk_size": 20,
        "physical_block_exp": 24,
        "alignment_offset": 25,
        "min_io_size": 26,
        "opt_io_size": 28,
        "writeback": 32,
        "num_queues": 34,
        "max_discard_sectors": 36,
        "max_discard_seg": 40,
        "discard_sector_alignment": 44,
        "max_write_zeroes_sectors": 48,
        "max_write_zeroes_seg": 52,
        "write_zeroes_may_unmap": 56,
        "max_secure_erase_sectors": 60,
        "max_secure_erase_seg": 64,
        "secure_erase_sector_alignment": 68,
        "zone_sectors": 72,
        "max_open_zones": 76,
        "max_active_zones": 80,
        "max_append_sectors": 84,
        "write_granularity": 88,
        "zoned_model": 92,
    },
    "scsi": {
        "num_queues": 0,
        "seg_max": 4,
        "max_sectors": 8,
        "cmd_per_lun": 12,
        "event_info_size": 16,
        "sense_size": 20,
        "cdb_size": 24,
        "max_channel": 28,
        "max_target": 30,
        "max_lun": 32,
    },
    "fs": {"tag": 0, "num_request_queues": 36, "notify_buf_size": 40},
    "gpu": {"events_read": 0, "events_clear": 4, "num_scanouts": 8, "num_capsets": 12, "blob_alignment": 16},
    "input": {"select": 0, "subsel": 1, "size": 2, "data": 8},
    "crypto": {
        "status": 0,
        "max_dataqueues": 4,
        "crypto_services": 8,
        "cipher_algo_l": 12,
        "cipher_algo_h": 16,
        "hash_algo": 20,
        "mac_algo_l": 24,
        "mac_algo_h": 28,
        "aead_algo": 32,
        "max_cipher_key_len": 36,
        "max_auth_key_len": 40,
        "akcipher_algo": 44,
        "max_size": 48,
    },
    "gpio": {"ngpio": 0, "gpio_names_size": 4},
    "console": {"cols": 0, "rows": 2, "max_nr_ports": 4, "emerg_wr": 8},
    "balloon": {"num_pages": 0, "actual": 4, "free_page_hint_cmd_id": 8, "poison_val": 12},
    "sound": {"jacks": 0, "streams": 4, "chmaps": 8, "controls": 12},
    "mem": {
        "block_size": 0,
        "node_id": 8,
        "addr": 16,
        "region_size": 24,
        "usable_region_size": 32,
        "plugged_size": 40,
        "requested_size": 48,
    },
    "iommu": {
        "page_size_mask": 0,
        "input_range_start": 8,
        "input_range_end": 16,
        "domain_range_start": 24,
        "domain_range_end": 28,
        "probe_size": 32,
        "bypass": 36,
    },
    "spi": {
        "cs_max_number": 0,
        "tx_nbits_supported": 2,
        "bits_per_word_mask": 4,
        "mode_func_supported": 8,
        "max_freq_hz": 12,
        "max_word_delay_ns": 16,
        "max_cs_setup_ns": 20,
        "max_cs_hold_ns": 24,
        "max_cs_inactive_ns": 28,
    },
    "bt": {"type": 0, "vendor": 2, "msft_opcode": 4},
    "media": {"device_caps": 0, "device_type": 4, "card": 8},
}

DEVICE_IDS = {
    "net": 1,
    "blk": 2,
    "console": 3,
    "rng": 4,
    "balloon": 5,
    "scsi": 8,
    "9p": 9,
    "memballoon": 13,
    "gpu": 16,
    "input": 18,
    "vsock": 19,
    "crypto": 20,
    "iommu": 23,
    "mem": 24,
    "sound": 25,
    "fs": 26,
    "pmem": 27,
    "video-dec": 31,
    "scmi": 32,
    "i2c": 34,
    "watchdog": 35,
    "can": 36,
    "bt": 40,
    "gpio": 41,
    "spi": 45,
    "media": 48,
    "usb": 49,
}

CONFIG_FIELDS = [(device.name, field) for device in DEVICES for field in device.config.fields]
BIT_SETS = [device.features for device in DEVICES if device.features.bits]
BIT_SETS += [field.bits for _, field in CONFIG_FIELDS if field.bits is not None]


def known(name: str) -> Device:
    device = device_by_name(name)
    assert device is not None, name
    return device


def config_field(device: str, name: str) -> Field:
    (field,) = (field for field in known(device).config.fields if field.name == name)
    return field


def offsets(device: Device) -> dict[str, int]:
    """Where each field starts, except padding."""
    found = {}
    position = 0
    for field in device.config.fields:
        if field.meaning is not Meaning.PADDING:
            found[field.name] = position
        position += field.size
    return found


def names(devices: tuple[Device, ...]) -> set[str]:
    return {device.name for device in devices}


@pytest.mark.parametrize(("name", "size"), CONFIG_SIZES.items())
def test_the_configuration_space_has_the_specified_size(name: str, size: int) -> None:
    assert known(name).config.size == size


@pytest.mark.parametrize("name", OFFSETS)
def test_fields_are_at_the_specified_offsets(name: str) -> None:
    found = offsets(known(name))
    assert {field: found.get(field) for field in OFFSETS[name]} == OFFSETS[name]


@pytest.mark.parametrize(("name", "number"), DEVICE_IDS.items())
def test_device_ids(name: str, number: int) -> None:
    assert known(name).id == number


def test_all_assigned_device_ids_are_listed_once_and_in_order() -> None:
    assert [device.id for device in DEVICES] == [*range(1, 14), *range(16, 50), *range(60, 64)]


def test_the_9p_tag_is_as_long_as_the_space_says() -> None:
    assert known("9p").config.size_text == "2 + tag_len"


def test_the_space_of_an_undescribed_device_is_bytes() -> None:
    watchdog = known("watchdog").config
    assert watchdog.tail is not None
    assert watchdog.tail.field.meaning is Meaning.BYTES


@pytest.mark.parametrize(
    ("device", "field", "meaning"),
    [
        ("net", "mac", Meaning.MAC),
        ("net", "status", Meaning.FLAGS),
        ("net", "duplex", Meaning.CHOICE),
        ("blk", "blk_size", Meaning.SIZE),
        ("blk", "zoned_model", Meaning.CHOICE),
        ("fs", "tag", Meaning.TEXT),
        ("mem", "addr", Meaning.GUEST_ADDRESS),
        ("iommu", "input_range_end", Meaning.IOVA),
        ("crypto", "crypto_services", Meaning.FLAGS),
        ("spi", "mode_func_supported", Meaning.BITS),
    ],
)
def test_fields_have_their_meaning(device: str, field: str, meaning: Meaning) -> None:
    assert config_field(device, field).meaning is meaning


def test_mac_algorithms_continue_in_the_second_word() -> None:
    second = config_field("crypto", "mac_algo_h").bits
    assert second is not None
    assert second.mask("GMAC_AES") == 1 << (41 - 32)


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_no_field_name_is_used_twice(device: Device) -> None:
    assert len(device.config.names) == len(set(device.config.names))


def test_named_bits_fit_their_field() -> None:
    with_bits = [(device, field, field.bits) for device, field in CONFIG_FIELDS if field.bits is not None]
    assert len(with_bits) > 10
    for device, field, bits in with_bits:
        assert all(bit.number < 8 * field.size for bit in bits.bits), (device, field.name)


def test_sub_fields_cover_every_bit_once() -> None:
    with_parts = [(field, field.parts) for _, field in CONFIG_FIELDS if field.parts]
    assert with_parts
    for field, parts in with_parts:
        covered = [bit for part in parts for bit in range(part.low, part.low + part.width)]
        assert covered == list(range(8 * field.size)), field.name


@pytest.mark.parametrize("bits", BIT_SETS, ids=lambda bits: bits.name)
def test_no_bit_and_no_name_is_listed_twice(bits: BitSet) -> None:
    numbers = [bit.number for bit in bits.bits]
    spellings = [name for bit in bits.bits for name in (bit.name, *bit.aliases)]
    assert numbers == sorted(set(numbers))
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_device_bits_do_not_overlap_the_shared_ones(device: Device) -> None:
    assert device.features.by_number.keys() & VIRTIO_FEATURES.by_number.keys() == set()


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_every_device_names_its_source(device: Device) -> None:
    assert device.features.source


@pytest.mark.parametrize(
    "spelling",
    ["blk", "block", "BLK", "virtio-blk", "virtio_blk", "virtio-block", "vhost-user-blk", "VIRTIO-BLK"],
)
def test_a_device_is_found_by_any_usual_spelling(spelling: str) -> None:
    assert known(spelling).id == 2


@pytest.mark.parametrize(
    ("alias", "number"), [("entropy", 4), ("p9", 9), ("snd", 25), ("vhost-user-snd", 25), ("virtiofs", 26)]
)
def test_other_names_in_use_are_understood(alias: str, number: int) -> None:
    assert known(alias).id == number


@pytest.mark.parametrize("spelling", ["", "virtio-", "floppy", "2"])
def test_an_unknown_name_finds_nothing(spelling: str) -> None:
    assert device_by_name(spelling) is None


def test_a_device_is_found_by_id() -> None:
    assert device_by_id(26) is device_by_name("fs")


@pytest.mark.parametrize(("number", "name"), [(60, "nvrm"), (61, "pvclock"), (62, "tpm"), (63, "wl")])
def test_numbers_in_use_outside_the_specification_have_names(number: int, name: str) -> None:
    device = device_by_id(number)

    assert device is not None
    assert (device.name, device.note) == (name, "not in the virtio specification")


@pytest.mark.parametrize("number", [0, 14, 15, 50, 59, 64])
def test_an_unassigned_id_finds_nothing(number: int) -> None:
    assert device_by_id(number) is None


@pytest.mark.parametrize(
    ("size", "devices"),
    [
        (96, {"blk"}),
        (60, {"blk"}),  # before secure erase and zones
        (36, {"blk", "iommu", "scsi"}),
        (44, {"fs"}),
        (40, {"fs", "iommu", "media"}),
        (28, {"net"}),
        (24, {"net"}),
        (136, {"input"}),
        (8, {"net", "console", "balloon", "vsock", "gpio"}),
        (56, {"crypto", "mem"}),
        (256, set()),
    ],
)
def test_a_config_size_narrows_down_the_device(size: int, devices: set[str]) -> None:
    assert names(config_candidates(size)) == devices


def test_twelve_bytes_fit_net_before_speed_and_duplex() -> None:
    assert "net" in names(config_candidates(12))


@pytest.mark.parametrize("size", [1, 3, 60])
def test_devices_of_variable_size_are_not_candidates(size: int) -> None:
    assert names(config_candidates(size)).isdisjoint({"9p", "watchdog"})


def test_a_feature_word_mixes_the_devices_bits_and_the_shared_ones() -> None:
    word = 1 << 5 | 1 << 22 | 1 << 28 | 1 << 30 | 1 << 32
    assert feature_names(known("net"), word) == ("MAC", "MQ", "INDIRECT_DESC", "PROTOCOL_FEATURES", "VERSION_1")


def test_the_same_bit_has_another_name_on_another_device() -> None:
    assert (feature_names(known("blk"), 1 << 5), feature_names(known("net"), 1 << 5)) == (("RO",), ("MAC",))


def test_without_a_device_only_the_shared_bits_have_names() -> None:
    assert feature_names(None, 1 << 5 | 1 << 33) == ("bit 5", "ACCESS_PLATFORM")


def test_bits_without_a_name_are_shown_by_number() -> None:
    assert feature_names(known("blk"), 1 << 3 | 1 << 47) == ("bit 3", "bit 47")


def test_an_empty_word_has_no_names() -> None:
    assert feature_names(known("net"), 0) == ()


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("net", 4, []),
        ("net", 5, [4]),
        ("scsi", 4, [0, 1]),
        ("fs", 3, [0]),
        ("crypto", 3, [2]),
        ("blk", 4, []),
        ("console", 6, [2, 3]),
        ("sound", 4, [0, 1]),
        ("rng", 2, []),
    ],
)
def test_queues_beside_the_work_of_a_device(name: str, count: int, expected: list[int]) -> None:
    device = device_by_name(name)
    assert device is not None

    assert [index for index in range(count) if is_auxiliary(device, index, count)] == expected


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_a_queue_beyond_those_that_a_device_has(device: Device) -> None:
    assert not any(is_auxiliary(device, index, count) for count in range(8) for index in range(count + 8, count + 300))
