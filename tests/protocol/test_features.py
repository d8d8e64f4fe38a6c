"""The feature words of real programs, by name."""

import pytest

from vudissect.protocol.bits import BitSet
from vudissect.protocol.features import (
    GPU_FEATURES,
    PROTOCOL_FEATURES,
    SHMEM_FLAGS,
    STATUS_BITS,
    VIRTIO_FEATURES,
    VRING_FLAGS,
    XEN_MMAP_FLAGS,
)

ALL = (
    PROTOCOL_FEATURES,
    VIRTIO_FEATURES,
    GPU_FEATURES,
    STATUS_BITS,
    VRING_FLAGS,
    SHMEM_FLAGS,
    XEN_MMAP_FLAGS,
)


def test_the_protocol_features_are_bits_0_to_23_without_a_gap() -> None:
    assert sorted(PROTOCOL_FEATURES.by_number) == list(range(24))


def test_every_protocol_feature_has_its_release() -> None:
    assert [bit.name for bit in PROTOCOL_FEATURES.bits if bit.since.origin != "QEMU" or not bit.since.numbers] == []


@pytest.mark.parametrize(
    ("sender", "word", "names"),
    [
        ("VPP", 0x3, ("MQ", "LOG_SHMFD")),
        ("SPDK as a front-end", 0x201, ("MQ", "CONFIG")),
        ("OpenVMM", 0x2209, ("MQ", "REPLY_ACK", "CONFIG", "RESET_DEVICE")),
        (
            "DPDK",
            0x18DBF,
            (
                "MQ",
                "LOG_SHMFD",
                "RARP",
                "REPLY_ACK",
                "MTU",
                "BACKEND_REQ",
                "CRYPTO_SESSION",
                "PAGEFAULT",
                "BACKEND_SEND_FD",
                "HOST_NOTIFIER",
                "CONFIGURE_MEM_SLOTS",
                "STATUS",
            ),
        ),
        (
            "a crosvm device",
            0x408228,
            ("REPLY_ACK", "BACKEND_REQ", "CONFIG", "CONFIGURE_MEM_SLOTS", "SHMEM"),
        ),
    ],
)
def test_a_word_of_protocol_features_reads_as_names(sender: str, word: int, names: tuple[str, ...]) -> None:
    assert PROTOCOL_FEATURES.names(word) == names, sender


@pytest.mark.parametrize(
    ("old", "number"),
    [("NET_MTU", 4), ("SLAVE_REQ", 5), ("SLAVE_SEND_FD", 10), ("SHMEM_MAP", 22)],
)
def test_old_names_of_protocol_features_are_understood(old: str, number: int) -> None:
    assert PROTOCOL_FEATURES.mask(old) == 1 << number


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("LOG_ALL", 0x0400_0000),
        ("F_PROTOCOL_FEATURES", 0x4000_0000),
        ("PROTOCOL_FEATURES", 0x4000_0000),
        ("VERSION_1", 0x1_0000_0000),
        ("IOMMU_PLATFORM", 0x2_0000_0000),
        ("ACCESS_PLATFORM", 0x2_0000_0000),
        ("RING_PACKED", 0x4_0000_0000),
        ("RING_RESET", 0x100_0000_0000),
        ("SUSPEND", 0x800_0000_0000),
    ],
)
def test_shared_virtio_features_have_their_bits(name: str, word: int) -> None:
    assert VIRTIO_FEATURES.mask(name) == word


def test_a_driver_that_is_up_shows_four_status_bits() -> None:
    assert STATUS_BITS.names(0x0F) == ("ACKNOWLEDGE", "DRIVER", "DRIVER_OK", "FEATURES_OK")


def test_the_high_status_bits_are_failures_and_suspend() -> None:
    assert STATUS_BITS.names(0xD0) == ("SUSPEND", "NEEDS_RESET", "FAILED")


@pytest.mark.parametrize(
    ("bits", "word", "names"),
    [
        (GPU_FEATURES, 0x3, ("EDID", "DMABUF2")),
        (VRING_FLAGS, 0x1, ("LOG",)),
        (SHMEM_FLAGS, 0x1, ("WRITABLE",)),
        (XEN_MMAP_FLAGS, 0x103, ("FOREIGN", "GRANT", "NO_ADVANCE_MAP")),
    ],
    ids=lambda value: value.name if isinstance(value, BitSet) else None,
)
def test_the_small_sets_name_their_bits(bits: BitSet, word: int, names: tuple[str, ...]) -> None:
    assert bits.names(word) == names


def test_an_undefined_bit_is_shown_by_number() -> None:
    assert PROTOCOL_FEATURES.names(1 << 31 | 1) == ("MQ", "bit 31")


@pytest.mark.parametrize("bits", ALL, ids=lambda bits: bits.name)
def test_no_bit_is_listed_twice(bits: BitSet) -> None:
    numbers = [bit.number for bit in bits.bits]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("bits", ALL, ids=lambda bits: bits.name)
def test_no_two_bits_share_a_name(bits: BitSet) -> None:
    names = [name for bit in bits.bits for name in (bit.name, *bit.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("bits", ALL, ids=lambda bits: bits.name)
def test_every_set_names_its_source(bits: BitSet) -> None:
    assert bits.source
