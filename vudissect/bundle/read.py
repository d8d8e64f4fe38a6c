"""Opens a bundle: what it says about itself, and its files."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from vudissect.bundle.make import MANIFEST, VERSION
from vudissect.capture.errors import CaptureError
from vudissect.host.output import write_private

# A bundle comes from somebody else: what it unpacks to must not fill the memory.
_MOST_BYTES = 1 << 30


class Bundle:
    """An open bundle. `CaptureError` if the file is not one, or of a later version; `OSError` if it cannot be read."""

    def __init__(self, path: str) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile:
            raise CaptureError("not a bundle of vuproxy --bundle-on; for a capture, use vudissect summary") from None
        try:
            self.about: Mapping[str, Any] = self._manifest()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its files."""
        return tuple(self._archive.namelist())

    def text(self, name: str) -> str:
        """A file as text; "" if there is none of this name."""
        return self._read(name).decode(errors="backslashreplace") if name in self.names else ""

    def extract(self, folder: str) -> list[str]:
        """Write its files into a folder, which is made; returns their paths. Names never lead out of it."""
        paths = []
        for name in self.names:
            parts = PurePosixPath(name).parts
            if name.endswith("/") or not parts or ".." in parts or name.startswith("/"):
                continue
            path = Path(folder, *parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(str(path), self._read(name))
            paths.append(str(path))
        return paths

    def _manifest(self) -> Mapping[str, Any]:
        if MANIFEST not in self.names:
            raise CaptureError(f"not a bundle: a zip file without {MANIFEST}")
        try:
            about = json.loads(self._read(MANIFEST))
            version = int(about["bundle"])
        except (ValueError, TypeError, KeyError):
            raise CaptureError(f"{MANIFEST} in the bundle is damaged") from None
        if version > VERSION:
            raise CaptureError(f"a bundle of version {version}, but this vudissect reads up to {VERSION}: update it")
        found: Mapping[str, Any] = about
        return found

    def _read(self, name: str) -> bytes:
        if self._archive.getinfo(name).file_size > _MOST_BYTES:
            raise CaptureError(f"{name} in the bundle is too large")
        try:
            return self._archive.read(name)
        except (zipfile.BadZipFile, ValueError, OSError, RuntimeError) as error:
            raise CaptureError(f"{name} in the bundle is damaged: {error}") from None
