"""VU-STA, VU-CRY, VU-GPU, VU-INB: status, crypto sessions, the GPU channel, notifications by message."""

import struct

import pytest

from tests.conversation import SECOND, Conversation, eventfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.crypto import SESSION_C1, SESSION_C2, SESSION_C3
from vudissect.protocol.features import GPU_FEATURES, STATUS_BITS, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Layout

GPU = Channel.GPU
BACKEND = Channel.BACKEND
EDID = GPU_FEATURES.mask("EDID")
CIPHER = {"cipher_alg": 3, "key_len": 16, "op_type": 1, "direction": 1}
SETTLED = ("ACKNOWLEDGE", "DRIVER", "FEATURES_OK")


def set_status(talk: Conversation, *names: str) -> None:
    talk.front_end("SET_STATUS", status=STATUS_BITS.mask(*names))


def get_status(talk: Conversation, *names: str) -> None:
    talk.ask("GET_STATUS", status=STATUS_BITS.mask(*names))


def kick(talk: Conversation, index: int = 0) -> None:
    talk.front_end("SET_VRING_KICK", index=index, descriptors=(eventfd(index),))


class TestStatusOrder:
    """VU-STA-01."""

    def test_a_bit_is_taken_back(self) -> None:
        talk = opened("STATUS")
        set_status(talk, *SETTLED)
        set_status(talk, "ACKNOWLEDGE", "FEATURES_OK")

        finding = only(talk, "VU-STA-01")

        assert (finding.severity, finding.blame) == (Severity.ERROR, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "clears DRIVER" in finding.message

    def test_a_bit_that_the_back_end_took(self) -> None:
        talk = opened("STATUS")
        set_status(talk, *SETTLED)
        get_status(talk, "ACKNOWLEDGE", "DRIVER")
        set_status(talk, "ACKNOWLEDGE", "DRIVER", "FAILED")

        assert found(talk, "VU-STA-01") == []

    def test_driver_ok_without_features_ok(self) -> None:
        talk = opened("STATUS")
        set_status(talk, "ACKNOWLEDGE", "DRIVER", "DRIVER_OK")

        finding = only(talk, "VU-STA-01")

        assert (finding.frame, finding.frames) == (8, (7,))
        assert "DRIVER_OK without FEATURES_OK" in finding.message

    def test_legacy_drivers_know_no_features_ok(self) -> None:
        talk = opened("STATUS", features=("PROTOCOL_FEATURES",))
        set_status(talk, "ACKNOWLEDGE", "DRIVER", "DRIVER_OK")

        assert found(talk, "VU-STA-01") == []

    def test_a_device_comes_up_and_goes_down(self) -> None:
        talk = opened("STATUS")
        set_status(talk, "FEATURES_OK")
        kick(talk)
        set_status(talk, *SETTLED, "DRIVER_OK")
        talk.ask("GET_VRING_BASE")
        set_status(talk)

        assert found(talk, "VU-STA-01") == []

    def test_a_reset_before_the_rings_are_stopped(self) -> None:
        talk = opened("STATUS")
        kick(talk, 3)
        set_status(talk)

        finding = only(talk, "VU-STA-01")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "while ring 3 is started" in finding.message

    def test_qemu_is_known_to_reset_too_early(self) -> None:
        talk = opened("STATUS", front_end="qemu-system-x86")
        kick(talk)
        set_status(talk)

        assert only(talk, "VU-STA-01").severity is Severity.COMPAT


class TestFeaturesRefused:
    """VU-STA-02."""

    def test_the_back_end_takes_features_ok_back(self) -> None:
        talk = opened("STATUS")
        set_status(talk, *SETTLED)
        get_status(talk, "ACKNOWLEDGE", "DRIVER")

        finding = only(talk, "VU-STA-02")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (10, (7, 8))
        assert "refuses the acknowledged features of #7 (PROTOCOL_FEATURES VERSION_1)" in finding.message

    def test_for_a_reason(self) -> None:
        talk = opened("STATUS")
        talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("PROTOCOL_FEATURES", "IN_ORDER"))
        set_status(talk, *SETTLED)
        get_status(talk, "ACKNOWLEDGE", "DRIVER")

        finding = only(talk, "VU-STA-02")

        assert finding.blame is Blame.FRONT_END
        assert "IN_ORDER had not been offered" in finding.message

    def test_the_back_end_keeps_it(self) -> None:
        talk = opened("STATUS")
        get_status(talk)
        set_status(talk, *SETTLED)
        get_status(talk, *SETTLED)

        assert found(talk, "VU-STA-02") == []

    def test_an_answer_to_a_question_from_before(self) -> None:
        talk = opened("STATUS")
        talk.front_end("GET_STATUS")
        set_status(talk, *SETTLED)
        talk.back_end("GET_STATUS", status=0)

        assert found(talk, "VU-STA-02") == []


class TestReset:
    """VU-STA-03."""

    def test_a_device_that_was_up(self) -> None:
        talk = opened("STATUS")
        set_status(talk, *SETTLED)
        set_status(talk)

        finding = only(talk, "VU-STA-03")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.UNKNOWN)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "status ACKNOWLEDGE DRIVER FEATURES_OK to 0" in finding.message

    def test_the_reset_before_all_is_none(self) -> None:
        talk = opened("STATUS")
        set_status(talk)

        assert found(talk, "VU-STA-03") == []


class TestCryptoSession:
    """VU-CRY-01."""

    def created(self, layout: Layout, **fields: int) -> Conversation:
        talk = opened("CRYPTO_SESSION")
        talk.front_end("CREATE_CRYPTO_SESSION", layout=layout, **{**CIPHER, **fields})
        return talk

    def test_the_second_generation(self) -> None:
        finding = only(self.created(SESSION_C2), "VU-CRY-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert "QEMU 7.1 to 8.0 (cipher_alg 3, key_len 16)" in finding.message
        assert "as op_code 3, cipher_alg 16, key_len 0" in finding.message

    def test_the_second_generation_that_looks_like_the_first(self) -> None:
        looks_like_an_operation = 2

        finding = only(self.created(SESSION_C2, cipher_alg=looks_like_an_operation), "VU-CRY-01")

        assert "QEMU 7.1 to 8.0 (cipher_alg 2, key_len 16)" in finding.message

    def test_a_session_that_makes_no_sense_at_all(self) -> None:
        finding = only(self.created(SESSION_C1, op_code=2, direction=9), "VU-CRY-01")

        assert "is valid in neither of two generations" in finding.message

    @pytest.mark.parametrize("layout", [SESSION_C1, SESSION_C3], ids=["first", "third"])
    def test_generations_that_are_told_by_size_or_contents(self, layout: Layout) -> None:
        assert found(self.created(layout, op_code=2), "VU-CRY-01") == []

    def test_keys_are_not_told(self) -> None:
        talk = opened("CRYPTO_SESSION")
        talk.front_end("CREATE_CRYPTO_SESSION", layout=SESSION_C2, key=b"secret" * 10 + bytes(4), **CIPHER)

        message = only(talk, "VU-CRY-01").message

        assert "secret" not in message
        assert b"secret".hex() not in message

    def test_no_known_size(self) -> None:
        talk = opened("CRYPTO_SESSION")
        talk.front_end("CREATE_CRYPTO_SESSION", payload=bytes(700))

        assert "the session has 700 bytes; known sizes are 632" in only(talk, "VU-CRY-01").message

    def test_an_answer_of_another_generation(self) -> None:
        talk = self.created(SESSION_C3, op_code=2)
        talk.back_end("CREATE_CRYPTO_SESSION", layout=SESSION_C1, op_code=2)

        finding = only(talk, "VU-CRY-01")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 9, (8,))
        assert "1072 bytes is answered with one of 632" in finding.message

    def test_an_answer_of_the_same(self) -> None:
        talk = self.created(SESSION_C3, op_code=2)
        talk.back_end("CREATE_CRYPTO_SESSION", layout=SESSION_C3, op_code=2)

        assert found(talk, "VU-CRY-01") == []


class TestGpuMessages:
    """VU-GPU-01."""

    def with_features(self, features: int = EDID) -> Conversation:
        talk = opened()
        talk.ask("GET_PROTOCOL_FEATURES", GPU, features=features)
        talk.back_end("SET_PROTOCOL_FEATURES", GPU, features=features)
        return talk

    def test_flags_of_requests_are_left_over(self) -> None:
        talk = opened()
        for _ in range(2):
            talk.back_end("SCANOUT", GPU, header_flags=0x5)

        finding = only(talk, "VU-GPU-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.BACK_END, 8)
        assert "SCANOUT has flags 0x5 instead of 0x0" in finding.message

    def test_a_version_on_a_reply(self) -> None:
        talk = opened()
        talk.back_end("GET_DISPLAY_INFO", GPU)
        talk.front_end("GET_DISPLAY_INFO", GPU, header_flags=0x5)

        finding = only(talk, "VU-GPU-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 9)

    def test_fewer_pixels_than_announced(self) -> None:
        talk = opened()
        talk.back_end("UPDATE", GPU, payload=struct.pack("<IIIII", 0, 0, 0, 4, 2) + bytes(28))

        finding = only(talk, "VU-GPU-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 8)
        assert "UPDATE of 4 x 2 pixels has 48 bytes instead of 52" in finding.message

    def test_as_many_pixels_as_announced(self) -> None:
        talk = opened()
        talk.back_end("UPDATE", GPU, width=4, height=2, pixels=bytes(32))

        assert found(talk, "VU-GPU-01") == []

    def test_the_display_has_not_taken_the_last_one(self) -> None:
        talk = opened()
        talk.back_end("DMABUF_UPDATE", GPU)
        talk.back_end("DMABUF_UPDATE", GPU)

        finding = only(talk, "VU-GPU-01")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 9, (8,))

    def test_the_display_has_taken_it(self) -> None:
        talk = opened()
        talk.ask("DMABUF_UPDATE", GPU)
        talk.ask("DMABUF_UPDATE", GPU)

        assert found(talk, "VU-GPU-01") == []

    def test_edid_without_its_feature(self) -> None:
        talk = self.with_features(0)
        talk.back_end("GET_EDID", GPU)

        finding = only(talk, "VU-GPU-01")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 11, (10,))
        assert "EDID is not negotiated on the GPU channel" in finding.message

    def test_edid_with_it(self) -> None:
        talk = self.with_features()
        talk.back_end("GET_EDID", GPU)

        assert found(talk, "VU-GPU-01") == []

    def test_features_that_were_not_offered(self) -> None:
        talk = self.with_features()
        talk.back_end("SET_PROTOCOL_FEATURES", GPU, features=3)

        finding = only(talk, "VU-GPU-01")

        assert (finding.frame, finding.frames) == (11, (9,))
        assert "0x3 are acknowledged, but only 0x1 are offered" in finding.message


class TestEdid:
    """VU-GPU-02."""

    def asked(self, scanout: int, displays: int = 1) -> Conversation:
        talk = opened()
        talk.ask("GET_DISPLAY_INFO", GPU, displays=[{"enabled": 1}] * displays)
        talk.back_end("GET_EDID", GPU, scanout=scanout)
        return talk

    def gone(self, talk: Conversation) -> Conversation:
        talk.silence(2 * SECOND)
        talk.event(RecordKind.CHANNEL_CLOSED, GPU, by="front-end", how="eof")
        talk.close("front-end")
        return talk

    def test_of_a_display_it_is_owed(self) -> None:
        finding = only(self.gone(self.asked(0)), "VU-GPU-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.FRONT_END, 10)
        assert "the EDID request of #10 was never answered" in finding.message

    def test_of_a_display_that_is_not_there_both_are_to_blame(self) -> None:
        finding = only(self.gone(self.asked(1)), "VU-GPU-02")

        assert finding.blame is Blame.BOTH
        assert "scanout 1 does not exist (enabled: 0)" in finding.message

    def test_where_the_capture_ends_while_the_channel_is_open(self) -> None:
        assert only(self.asked(0), "VU-GPU-02").frame == 10

    def test_another_channel_that_is_closed_does_not_end_the_wait(self) -> None:
        talk = self.asked(0)
        talk.event(RecordKind.CHANNEL_CLOSED, BACKEND, by="back-end", how="eof")
        talk.front_end("GET_EDID", GPU)

        assert found(talk, "VU-GPU-02") == []

    def test_it_is_answered(self) -> None:
        talk = self.asked(0)
        talk.front_end("GET_EDID", GPU)

        assert found(self.gone(talk), "VU-GPU-02") == []


class TestInBand:
    """VU-INB-01."""

    def test_a_number_where_there_is_none(self) -> None:
        talk = opened("INBAND_NOTIFICATIONS", "BACKEND_REQ", "REPLY_ACK")
        talk.back_end("VRING_CALL", BACKEND, index=1, num=7)

        finding = only(talk, "VU-INB-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 8)
        assert "VRING_CALL of ring 1 has num 7" in finding.message

    @pytest.mark.parametrize(
        ("setting", "channel", "notification", "what"),
        [
            ("SET_VRING_KICK", Channel.MAIN, "VRING_KICK", "kick"),
            ("SET_VRING_CALL", BACKEND, "VRING_CALL", "call"),
            ("SET_VRING_ERR", BACKEND, "VRING_ERR", "err"),
        ],
    )
    def test_a_descriptor_for_the_same(self, setting: str, channel: Channel, notification: str, what: str) -> None:
        talk = opened("INBAND_NOTIFICATIONS", "BACKEND_REQ", "REPLY_ACK")
        talk.front_end(setting, index=1, descriptors=(eventfd(1),))
        for _ in range(2):
            talk.say(channel.initiator, notification, channel, index=1)

        finding = only(talk, "VU-INB-01")

        assert (finding.frame, finding.frames) == (9, (8,))
        assert (
            f"{notification} notifies ring 1 by message, although it has evt#1 as its {what} descriptor"
            in finding.message
        )

    def test_no_descriptor_and_no_number(self) -> None:
        talk = opened("INBAND_NOTIFICATIONS", "BACKEND_REQ", "REPLY_ACK")
        talk.front_end("SET_VRING_KICK", index=1, nofd=1)
        talk.front_end("VRING_KICK", index=1)
        talk.back_end("VRING_CALL", BACKEND, index=1)

        assert found(talk, "VU-INB-01") == []
