"""Wireshark shows no key, even of a capture that has it."""

from pathlib import Path

import pytest

from tests.keys import all_kinds, leaked, leaked_as_text
from tests.wireshark.everything import save
from tests.wireshark.test_check import differences
from tests.wireshark.test_plugin import tshark
from vudissect.protocol.dialects import DIALECTS

RAW = "exported_pdu.exported_pdu"


@pytest.fixture
def capture(tmp_path: Path) -> tuple[Path, tuple[bytes, ...]]:
    """A capture with keys, and the keys."""
    records, keys = all_kinds()
    path = save(tmp_path / "keys.pcapng", records)
    assert leaked(keys[:1], path.read_bytes())
    return path, keys


@pytest.mark.parametrize("form", ["-V", "-Tpdml", "-Tjson", "-Tps"])
def test_the_plugin_shows_no_key(form: str, capture: tuple[Path, tuple[bytes, ...]], tmp_path: Path) -> None:
    path, keys = capture

    shown = tshark(path, tmp_path, form, "-O", "vhost_user", "-J", "vhost_user")

    assert "auth_key" in shown
    assert leaked_as_text(keys, shown) == set()


@pytest.mark.parametrize("keep_keys", [True, False])
def test_it_shows_whether_they_were_stored(keep_keys: bool, tmp_path: Path) -> None:
    path = save(tmp_path / "keys.pcapng", all_kinds()[0], keep_keys=keep_keys)

    shown = tshark(path, tmp_path, "-V", "-O", "vhost_user")

    assert f"key (64 bytes of key material, not {'shown' if keep_keys else 'stored'})" in shown


@pytest.mark.parametrize("key", ["upstream", "crypto-rfc", "mst-2015"])
def test_it_shows_everything_else(key: str, capture: tuple[Path, tuple[bytes, ...]]) -> None:
    (dialect,) = (each for each in DIALECTS if each.key == key)

    assert differences(capture[0], dialect=dialect) == []
