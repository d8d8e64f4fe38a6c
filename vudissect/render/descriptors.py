"""Descriptors in a few words: `mem#1`, with a description at its first appearance."""

from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.render.units import printable, size_text
from vudissect.session.names import NamedDescriptor

_SEALS = ((0x1, "seal"), (0x2, "shrink"), (0x4, "grow"), (0x8, "write"), (0x10, "future-write"), (0x20, "exec"))
# That memory does not shrink is worth no words: QEMU and conversations seal their memory so.
_USUAL_SEALS = 0x2
_FILE_KINDS = (DescriptorKind.MEMFD, DescriptorKind.FILE)


def descriptor_text(named: NamedDescriptor, frame: int) -> str:
    """The name; in the frame in which the open object first appears, also a `+` and what it is."""
    if named.first != frame:
        return named.name
    what = kind_text(named.descriptor)
    return f"+{named.name} ({what})" if what else f"+{named.name}"


def kind_text(descriptor: Descriptor) -> str:
    """What a descriptor is, beyond its name: `memfd pc.ram 256M`; empty for an eventfd."""
    if descriptor.kind is DescriptorKind.EVENTFD:
        return ""
    words = [descriptor.kind.label]
    if descriptor.kind in _FILE_KINDS:
        words.append(short_name(descriptor.name))
        words.append(size_text(descriptor.size) if descriptor.is_examined else "size unknown")
        if descriptor.page_size > 4096:
            words.append(f"pages {size_text(descriptor.page_size)}")
        is_memfd = descriptor.is_examined and descriptor.kind is DescriptorKind.MEMFD
        if is_memfd and descriptor.seals != _USUAL_SEALS:
            words.append(f"seals {descriptor.seals:#x}" if descriptor.seals >= 0 else "seals -1")
    elif descriptor.kind is DescriptorKind.SOCKET:
        words = [printable(descriptor.name.partition("] ")[2] or "socket")]
    return " ".join(word for word in words if word)


def short_name(name: str) -> str:
    """The kernel's name of a file without the parts that all names have: `pc.ram` for `/memfd:pc.ram (deleted)`."""
    return printable(name.removesuffix(" (deleted)").removeprefix("/memfd:"))


def seals_text(seals: int) -> str:
    """F_SEAL_* bits by name; empty for files that cannot be sealed."""
    return "|".join(name for bit, name in _SEALS if seals & bit) if seals > 0 else ""
