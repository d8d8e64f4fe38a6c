"""Which device the two are talking about: a guess that can be overturned."""

from tests.conversation import Conversation
from vudissect.capture.record import RecordKind
from vudissect.protocol.devices import DEVICES, config_candidates, device_by_name
from vudissect.session.device import MOST_SIZES, PROGRAMS, DeviceGuess
from vudissect.session.session import Session

BLK, NET, FS, GPIO, GPU = (device_by_name(name) for name in ("blk", "net", "fs", "gpio", "gpu"))
# Features of a disk of qemu-storage-daemon; a network device has all of these bits, too.
OF_A_DISK = 0x7E46


def guessed(talk: Conversation, **options: object) -> str | None:
    session = Session(**options)  # type: ignore[arg-type]
    state = next(event.after for event in reversed([session.feed(record) for record in talk.records]))
    return state.guess.device.name if state.guess.device is not None else None


def reads(talk: Conversation, *sizes: int) -> None:
    for size in sizes:
        talk.front_end("GET_CONFIG", offset=0, contents=bytes(size))
        talk.back_end("GET_CONFIG", offset=0, contents=bytes(size))


class TestEvidence:
    def test_a_program_that_serves_one_device_only(self) -> None:
        assert DeviceGuess().after_program("virtiofsd").device is FS

    def test_a_program_that_nobody_knows(self) -> None:
        assert DeviceGuess().after_program("my-daemon").device is None

    def test_the_executable_has_the_whole_name(self) -> None:
        assert DeviceGuess().after_program("vhost-device-gp", "/usr/bin/vhost-device-gpio").device is GPIO
        assert DeviceGuess().after_program("my-wrapper", "/usr/libexec/virtiofsd").device is FS

    def test_features_tell_apart_programs_with_the_same_command_name(self) -> None:
        guess = DeviceGuess().after_program("vhost-device-gp")

        assert guess.after_features(0b10).device is GPU
        assert guess.after_features(0b1).after_config(8).device is GPIO

    def test_acknowledged_features_count_as_offered_ones(self) -> None:
        assert DeviceGuess().after_features(0x46).after_features(OF_A_DISK).device is BLK

    def test_a_size_that_one_device_has(self) -> None:
        assert DeviceGuess().after_config(60).device is BLK

    def test_a_size_that_several_have_decides_nothing_alone(self) -> None:
        assert len(config_candidates(8)) > 1
        assert DeviceGuess().after_config(8).after_features(OF_A_DISK).device is not None

    def test_too_few_features(self) -> None:
        assert DeviceGuess().after_features(0b11).device is None

    def test_the_device_with_the_fewest_other_features(self) -> None:
        assert DeviceGuess().after_features(OF_A_DISK).device is BLK

    def test_the_user_knows_better(self) -> None:
        assert DeviceGuess(NET, True).after_program("virtiofsd").after_config(60).device is NET


class TestOverturned:
    def test_one_odd_size_does_not_settle_it(self) -> None:
        guess = DeviceGuess().after_features(OF_A_DISK).after_config(24)

        assert guess.device is NET
        assert guess.after_config(36).after_config(25).after_config(60).device is BLK

    def test_a_driver_that_reads_field_by_field(self) -> None:
        guess = DeviceGuess().after_features(OF_A_DISK)
        for size in (16, 36, 33, 12, 24, 25, 26, 28, 32, 48, 40, 44, 52, 8):
            guess = guess.after_config(size)

        assert guess.device is BLK

    def test_the_program_outweighs_a_size(self) -> None:
        assert DeviceGuess().after_program("qemu-storage-da").after_config(24).device is BLK


def test_sizes_without_end_cost_nothing() -> None:
    guess = DeviceGuess()
    for size in range(1, 1000):
        guess = guess.after_config(size)

    assert len(guess.sizes) == MOST_SIZES


def test_every_program_serves_a_device_that_there_is() -> None:
    assert {device_by_name(name) for names in PROGRAMS.values() for name in names} <= set(DEVICES)
    assert PROGRAMS["qemu-storage-daemon"] == PROGRAMS["qemu-storage-da"] == ("blk",)


def test_in_a_session() -> None:
    talk = Conversation()
    talk.open("linux.uml", "qemu-storage-da")
    reads(talk, 16, 24)

    assert guessed(talk) == "blk"


def test_the_capture_names_it() -> None:
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_OPENED, back_end_command="qemu-storage-da", device="net")
    reads(talk, 60)

    assert guessed(talk) == "net"


def test_the_user_knows_better_than_the_capture() -> None:
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_OPENED, device="blk")

    assert guessed(talk, device=NET) == "net"


def test_a_device_that_nobody_knows_is_not_named() -> None:
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_OPENED, device="toaster")
    reads(talk, 60)

    assert guessed(talk) == "blk"


def test_a_guess_is_marked_as_one() -> None:
    guess = DeviceGuess().after_config(60)

    assert (guess.text, guess.words) == ("blk?", "blk (guessed)")
    assert (guess.named("blk").text, guess.named("blk").words) == ("blk", "blk")
    assert (DeviceGuess().text, DeviceGuess().words) == ("", "")


def test_the_user_names_it_for_a_session() -> None:
    talk = Conversation()
    talk.open("linux.uml", "qemu-storage-da")

    assert guessed(talk, device=NET) == "net"
