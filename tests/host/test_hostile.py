"""Descriptions of impossible descriptors: replaced, or refused as the kernel refuses them."""

import pytest

from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.host.inspect import inspect
from vudissect.host.make import make


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("/memfd:a\0b (deleted)", "ab"),
        ("\0", "memory"),
        ("/memfd:" + "n" * 300, "n" * 249),
        ("/memfd:" + "é" * 300, "é" * 124),
        ("/memfd:\udcff", "\\udcff"),
    ],
)
def test_memory_has_a_name_that_the_kernel_accepts(name: str, made: str) -> None:
    thing = make(Descriptor(DescriptorKind.MEMFD, size=4096, seals=0, name=name))

    assert inspect(thing.fd).name == f"/memfd:{made} (deleted)"
    thing.close()


@pytest.mark.parametrize("page_size", [1 << 12 | 1, 1 << 40, (1 << 64) - 1])
@pytest.mark.parametrize("size", [0, 4096])
def test_pages_of_an_impossible_size_are_ordinary_ones(page_size: int, size: int) -> None:
    thing = make(Descriptor(DescriptorKind.MEMFD, size=size, page_size=page_size, seals=0))

    assert "ordinary pages" in thing.remark
    thing.close()


@pytest.mark.parametrize("kind", DescriptorKind)
@pytest.mark.parametrize("size", [1 << 63, (1 << 64) - 1])
def test_a_size_beyond_all_files_is_an_error(kind: DescriptorKind, size: int) -> None:
    with pytest.raises(OSError, match="File too large"):
        make(Descriptor(kind, size=size))
