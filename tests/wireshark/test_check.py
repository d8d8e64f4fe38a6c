"""The plugin shows every field of every message as it is decoded here; `vudissect wireshark check` confirms it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.capture.examples import records as any_kind_of_record
from tests.wireshark.everything import records, save
from tests.wireshark.together import save_together, with_connections_of_their_own
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record, RecordKind
from vudissect.protocol.devices import DEVICES
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.model import Channel, Device, Side
from vudissect.protocol.payloads import CONFIG
from vudissect.protocol.table import UPSTREAM
from vudissect.render.units import printable
from vudissect.session.session import Session
from vudissect.wire.codec import Codec
from vudissect.wireshark.check import Difference, compare, tshark_frames

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.pcapng"))


def read(path: Path) -> list[Record]:
    with open_capture(str(path)) as stream:
        return list(read_capture(stream))


def differences(path: Path, *, dialect: Dialect = DIALECTS[0], device: Device | None = None) -> list[Difference]:
    """Everything that tshark shows differently; both must have every frame."""
    options = ["-o", f"vhost_user.dialect:{dialect.key}"]
    options += ["-o", f"vhost_user.device:{device.name}"] if device is not None else []
    session = Session(device, protocol=dialect.protocol)
    seen = list(compare(tshark_frames(str(path), *options), session.events(read(path)), printable))
    assert len(seen) == len(read(path))
    return [difference for _, found in seen for difference in found]


@pytest.fixture(scope="module")
def real_sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Difference]]:
    """The differences in each capture, all read at once."""
    path = tmp_path_factory.mktemp("real") / "together.pcapng"
    frames = save_together(path, {path.stem: read(path) for path in CAPTURES})
    found = differences(path)
    return {name: [difference for difference in found if difference.frame in frames[name]] for name in frames}


@pytest.mark.parametrize("name", [path.stem for path in CAPTURES])
def test_real_sessions_are_shown_alike(name: str, real_sessions: dict[str, list[Difference]]) -> None:
    assert real_sessions[name] == []


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.key)
def test_every_message_in_every_form(dialect: Dialect, tmp_path: Path) -> None:
    capture = save(tmp_path / "everything.pcapng", list(records(dialect.protocol)))

    assert differences(capture, dialect=dialect) == []


WITH_CONFIGURATION = [device for device in DEVICES if device.config.fields]


def message(connection: int, sender: Side, data: bytes) -> Record:
    return Record(RecordKind.MESSAGE, connection, Channel.MAIN, sender, 1, 1, 1, 1, len(data), data)


def configuration_of(device: Device, connection: int = 1) -> list[Record]:
    """All of a device's configuration is asked for and returned."""
    codec = Codec(UPSTREAM, "little")
    (row,) = (row for row in UPSTREAM.messages if CONFIG in row.reply)
    contents = bytes(range(1, 1 + device.config.fixed_size))
    values = (0, len(contents), 0, contents)
    return [
        message(connection, Side.FRONT_END, codec.encode(row, CONFIG, values)),
        message(connection, Side.BACK_END, codec.encode(row, CONFIG, values, reply=True)),
    ]


def opened(device: Device, connection: int) -> Record:
    kind, details = RecordKind.CONNECTION_OPENED, {"device": device.name}
    return message(connection, Side.PROXY, b"")._replace(kind=kind, details=details)


def test_every_configuration_space(tmp_path: Path) -> None:
    said = [
        record
        for connection, device in enumerate(WITH_CONFIGURATION, 1)
        for record in (opened(device, connection), *configuration_of(device, connection))
    ]

    assert differences(save(tmp_path / "config.pcapng", said)) == []


@pytest.mark.parametrize("device", WITH_CONFIGURATION[:2], ids=lambda device: device.name)
def test_the_device_can_be_an_option(device: Device, tmp_path: Path) -> None:
    capture = save(tmp_path / "config.pcapng", configuration_of(device))

    assert differences(capture, device=device) == []


WELL_FORMED = [
    record.data
    for dialect in DIALECTS
    if dialect.key in ("upstream", "mst-2015")
    for record in records(dialect.protocol)
]


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A message that was cut, extended, or had a few of its bytes changed."""
    data = bytearray(draw(st.sampled_from(WELL_FORMED)))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, min(len(data) - 1, 40)))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) + draw(st.binary(max_size=9))


any_records = any_kind_of_record().map(
    # Wireshark shows no times beyond this age, and Lua's numbers are not exact beyond a hundred days of nanoseconds.
    lambda record: record._replace(
        connection=record.connection % 3,
        time=record.time >> 12,
        received=record.received >> 12,
        forwarded=record.forwarded >> 12,
    )
)
malformed = st.builds(
    lambda record, data, whole: record._replace(
        kind=RecordKind.MESSAGE,
        sender=Side(record.sender % 2),
        data=data,
        length=len(data) if whole else max(len(data), record.length),
        details={},
    ),
    any_records,
    spoiled(),
    st.booleans(),
)
events = any_records.filter(lambda record: record.kind is not RecordKind.MESSAGE).map(
    lambda record: record._replace(sender=Side.PROXY)
)


# One file for all examples: to start tshark takes much longer than to read one. So examples are not shrunk.
@pytest.mark.parametrize("key", ["upstream", "mst-2015", "crosvm-2023"])
def test_malformed_messages(key: str, tmp_path: Path) -> None:
    (dialect,) = (dialect for dialect in DIALECTS if dialect.key == key)
    examples: list[list[Record]] = []

    @settings(
        max_examples=20,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=(HealthCheck.data_too_large, HealthCheck.too_slow, HealthCheck.large_base_example),
    )
    @given(said=st.lists(st.one_of(malformed, malformed, malformed, events), min_size=10, max_size=40))
    def draw(said: list[Record]) -> None:
        examples.append(said)

    draw()
    said = [record for example in with_connections_of_their_own(examples) for record in example]
    found = differences(save(tmp_path / "any.pcapng", said), dialect=dialect)

    assert [(difference, said[difference.frame - 1]) for difference in found] == []


def test_a_source_without_times(tmp_path: Path) -> None:
    said = [record._replace(received=0, forwarded=0) for record in records(UPSTREAM)]

    assert differences(save(tmp_path / "capture.pcapng", said)) == []


def test_a_wrong_value_is_a_difference(tmp_path: Path) -> None:
    said = list(records(UPSTREAM))[:40]
    other = [record._replace(sequence=record.sequence + (record.frame == 0)) for record in said]
    path = save(tmp_path / "capture.pcapng", said)
    frames = tshark_frames(str(path))
    ours = [record._replace(frame=frame) for frame, record in enumerate(other, 1)]

    found = [difference.field for _, each in compare(frames, Session().events(ours), printable) for difference in each]

    assert set(found) == {"vhost_user.sequence"}


# The command


def check(*arguments: str, path: str | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "vudissect.cli", "wireshark", "check", *arguments],
        env={**os.environ, "PATH": path or os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_reports_how_much_was_compared() -> None:
    capture = CAPTURES[0].with_name("qemu-7.2-blk-qsd.pcapng")
    status, output, _ = check(str(capture))

    assert status == 0
    assert re.fullmatch(rf"{re.escape(str(capture))}: 46 frames, 1[0-9]{{3}} fields, none different\n", output)


def test_without_tshark_the_error_names_what_to_install() -> None:
    status, _, errors = check(str(CAPTURES[0]), path="/nowhere")

    assert (status, errors.splitlines()) == (
        2,
        [f"vudissect: {CAPTURES[0]}: tshark is not installed: apt-get install tshark"],
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("/nowhere",), "/nowhere: No such file or directory"),
        ((str(CAPTURES[0]), "--dialect", "none"), "unknown dialect 'none'"),
        ((str(CAPTURES[0]), "--device", "none"), "unknown device type 'none'"),
    ],
)
def test_errors_of_the_command_are_one_line(arguments: tuple[str, ...], says: str) -> None:
    status, _, errors = check(*arguments)

    assert status == 2
    assert says in errors
    assert len(errors.splitlines()) == 1
