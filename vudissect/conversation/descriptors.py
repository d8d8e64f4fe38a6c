"""Descriptors of every kind for conversations, by name: the same kind and name is the same open object."""

from vudissect.host.descriptor import Descriptor, DescriptorKind

_PAGE = 4096
_READ_WRITE = 2
_SEAL_SHRINK = 0x2


def memfd(
    name: str = "pc.ram", size: int = 64 << 20, *, page_size: int = _PAGE, seals: int = _SEAL_SHRINK
) -> Descriptor:
    """Memory without a file, as QEMU's memory-backend-memfd makes it; sizes in bytes, `seals` are F_SEAL_* bits."""
    return Descriptor(
        DescriptorKind.MEMFD, f"1:{name}", size, page_size, seals, _READ_WRITE, f"/memfd:{name} (deleted)"
    )


def file(name: str, size: int, *, page_size: int = _PAGE) -> Descriptor:
    """A file, as in /dev/shm or in hugetlbfs."""
    return Descriptor(DescriptorKind.FILE, f"2:{name}", size, page_size, -1, _READ_WRITE, name)


def eventfd(name: int | str) -> Descriptor:
    """An eventfd with this number or name."""
    return Descriptor(DescriptorKind.EVENTFD, f"eventfd:{name}", flags=_READ_WRITE, name="anon_inode:[eventfd]")


def of_kind(kind: DescriptorKind, name: str, about: str = "") -> Descriptor:
    """A descriptor of any other kind; `about` is the kernel's name for it."""
    return Descriptor(kind, f"{kind.label}:{name}", flags=_READ_WRITE, name=about or f"{kind.label}:[{name}]")
