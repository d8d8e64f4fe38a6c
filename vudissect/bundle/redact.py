"""What is left out of a bundle: names that say something about the site and nothing about the fault, keys, screens.

The same name is replaced by the same word everywhere, so what belongs together can still be seen.
"""

import re
from collections import Counter
from typing import Final

from vudissect.capture.keys import masked
from vudissect.capture.record import Record
from vudissect.host.descriptor import Descriptor
from vudissect.protocol.model import Channel

# Where programs and the kernel's own names are; these say nothing about the site.
_USUAL: Final = re.compile(r"/(?:dev|proc|sys|usr|bin|sbin|lib|lib64|memfd|dmabuf|anon_inode|tmp/?$)")
_PATH: Final = re.compile(r"(?<![\w/.])/(?:[^\s,;:'\"=(){}\[\]\0]+)")
_SUFFIX: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,5}$")
_NAMES: Final = re.compile(r"(-name[= ](?:guest=)?|-uuid[= ]|serial=|mac=|tag=|password=|secret=)([^\s,]+)")
_IDENTITIES: Final = ("front_end_uid", "front_end_gid", "back_end_uid", "back_end_gid")
# Of a message of the GPU channel: header and rectangle, without the pixels.
_MOST_OF_SCREEN: Final = 64


class Redaction:
    """Replaces, and counts what it replaced by kind. `host` is the name of the machine."""

    def __init__(self, host: str = "") -> None:
        self.counts: Counter[str] = Counter()
        self._host = re.compile(rf"\b{re.escape(host)}\b") if len(host) > 1 and host != "localhost" else None
        self._words: dict[tuple[str, str], str] = {}

    def text(self, text: str) -> str:
        """The text without paths, names of guests, serial numbers and the name of the machine."""
        text = _NAMES.sub(lambda match: match[1] + self._word("name", match[2]), text)
        text = _PATH.sub(lambda match: self._path(match[0]), text)
        return self._host.sub(lambda match: self._word("host", match[0]), text) if self._host else text

    def record(self, record: Record) -> Record:
        """The record without paths, users, key material and screens."""
        without_keys = masked(record)
        if without_keys is not record:
            self.counts["key material of messages"] += 1
            record = without_keys
        if record.channel is Channel.GPU and len(record.data) > _MOST_OF_SCREEN:
            self.counts["screen contents of messages"] += 1
            record = record._replace(data=record.data[:_MOST_OF_SCREEN])
        if record.descriptors:
            record = record._replace(descriptors=tuple(map(self._descriptor, record.descriptors)))
        if record.details:
            self.counts["user and group ids"] += sum(key in record.details for key in _IDENTITIES)
            details = {
                key: self._detail(key, value) if isinstance(value, str) else value
                for key, value in record.details.items()
                if key not in _IDENTITIES
            }
            record = record._replace(details=details)
        return record

    def _detail(self, key: str, text: str) -> str:
        folder, slash, name = text.rpartition("/")
        if key.endswith("_executable") and slash and not _USUAL.match(text):
            # The dialect, and what is known of programs, depend on the name.
            return f"/{self._word('path', folder)}/{name}"
        return self.text(text)

    def _descriptor(self, descriptor: Descriptor) -> Descriptor:
        name = self.text(descriptor.name)
        return descriptor if name == descriptor.name else descriptor._replace(name=name)

    def _path(self, path: str) -> str:
        if _USUAL.match(path):
            return path
        suffix = _SUFFIX.search(path)
        return "/" + self._word("path", path) + (suffix[0] if suffix else "")

    def _word(self, kind: str, text: str) -> str:
        word = self._words.get((kind, text))
        if word is None:
            number = sum(known == kind for known, _ in self._words) + 1
            word = self._words[kind, text] = f"{kind}-{number}"
        self.counts[{"path": "paths", "name": "names", "host": "names of the machine"}[kind]] += 1
        return word


class NoRedaction(Redaction):
    """Leaves everything as it is."""

    def text(self, text: str) -> str:
        """The text."""
        return text

    def record(self, record: Record) -> Record:
        """The record."""
        return record
