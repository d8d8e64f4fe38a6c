"""All entries of the dictionary, and a quick selection of those that may match a line."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from vudissect.lint.dictionary.entries import (
    cloud_hypervisor,
    crosvm,
    dpdk,
    dpdk_rings,
    libvhost_user,
    managers,
    others,
    qemu,
    qemu_chardev,
    qemu_devices,
    qemu_vhost,
    rust_vmm,
    spdk,
    switches,
    virtio_user,
    virtiofsd,
)
from vudissect.lint.dictionary.entry import Form, LogLine

LOG_LINES: tuple[LogLine, ...] = (
    *qemu.LINES,
    *qemu_vhost.LINES,
    *qemu_chardev.LINES,
    *qemu_devices.LINES,
    *libvhost_user.LINES,
    *dpdk.LINES,
    *dpdk_rings.LINES,
    *virtio_user.LINES,
    *spdk.LINES,
    *rust_vmm.LINES,
    *virtiofsd.LINES,
    *cloud_hypervisor.LINES,
    *crosvm.LINES,
    *managers.LINES,
    *switches.LINES,
    *others.LINES,
)

_WORD = re.compile(r"[a-z0-9]+")
# Not next to a placeholder, where the word of the line may continue.
_WHOLE_WORD = re.compile(r"(?<![a-z0-9}])[a-z0-9]{2,}(?![a-z0-9{])")
_PLACE_NAME = re.compile(r"\{\w+\}")


def forms_in(lowered: str) -> Iterator[Form]:
    """The forms that may match a line in lower case: those that share a word, and the few without a whole word."""
    by_word, without = _index()
    yield from without
    for word in set(_WORD.findall(lowered)):
        yield from by_word.get(word, ())


@cache
def _index() -> tuple[dict[str, list[Form]], list[Form]]:
    forms = [form for line in LOG_LINES for form in line.forms]
    words = {form: set(_WHOLE_WORD.findall(_PLACE_NAME.sub("{}", form.text.lower()))) for form in forms}
    common = Counter(word for found in words.values() for word in found)
    by_word: dict[str, list[Form]] = {}
    without: list[Form] = []
    for form in forms:
        if words[form]:
            by_word.setdefault(min(words[form], key=lambda word: (common[word], word)), []).append(form)
        else:
            without.append(form)
    return by_word, without
