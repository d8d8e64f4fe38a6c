"""Dialects as text: differences, meanings of numbers, and why a dialect was chosen."""

from tests.conversation import Conversation
from vudissect.protocol.dialects import UPSTREAM_DIALECT, dialect_by_name
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.render.dialects import dialect_detail, elsewhere, verdict_lines
from vudissect.session.dialect import Detector, detect_dialects


def named(key: str) -> Dialect:
    dialect = dialect_by_name(key)
    assert dialect is not None
    return dialect


def detail(key: str) -> str:
    return "\n".join(dialect_detail(named(key)))


def meanings(text: str) -> dict[str, list[str]]:
    return {row.name: [dialect.key for dialect in dialects] for row, dialects in elsewhere(text).items()}


def probed() -> Conversation:
    talk = Conversation(protocol=named("probe-v2").protocol)
    talk.ask("GET_DEVICE_ID", device_id=2)
    return talk


class TestDetail:
    def test_missing_messages_and_features_are_ranges(self) -> None:
        text = detail("mst-2015")

        assert "missing messages:  main from 19, backend all, gpu all" in text
        assert "missing features:  from 2" in text

    def test_what_is_missing_between_others_has_an_end(self) -> None:
        assert "missing messages:  main 1, from 16, backend all, gpu all" in detail("doc-offbyone")

    def test_the_header(self) -> None:
        text = detail("mst-2015")

        assert "header versions:   1 and 2" in text
        assert "failed requests:   are sent back with 0x80000000 in their number" in text

    def test_its_own_messages_and_features(self) -> None:
        text = detail("probe-v2")

        assert "protocol features: 18 PROBE" in text
        assert [line.split()[:4] for line in text.splitlines()[-3:]] == [
            ["41", "GET_DEVICE_ID", "0", "4"],
            ["42", "GET_CONFIG_SIZE", "0", "4"],
            ["43", "GET_MIN_VQ", "0", "4"],
        ]

    def test_its_base(self) -> None:
        assert "based on:          crosvm-2022" in detail("crosvm-2023")


class TestElsewhere:
    def test_a_contested_number_has_every_meaning(self) -> None:
        assert meanings("42") == {"SLEEP": ["crosvm-2023"], "GET_CONFIG_SIZE": ["probe-v2"]}

    def test_a_vendors_number_has_a_meaning(self) -> None:
        assert meanings("80") == {"NVME_ADMIN": ["spdk-nvme-v2"]}

    def test_dialects_that_share_a_row_share_a_meaning(self) -> None:
        assert meanings("PRESETUP") == {"PRESETUP": ["presetup-rfc", "vfe"]}

    def test_having_no_answer_is_not_another_meaning(self) -> None:
        assert "SET_VRING_NUM" not in meanings("8")


class TestVerdict:
    def test_without_evidence_against_upstream_there_is_one_line(self) -> None:
        talk = Conversation()
        talk.ask("GET_FEATURES", features=0)

        (line,) = verdict_lines(detect_dialects(talk.records)[1])

        assert line.startswith("dialect: upstream ")

    def test_another_is_explained(self) -> None:
        lines = list(verdict_lines(detect_dialects(probed().records)[1]))

        assert lines[0].startswith("dialect: probe-v2 (score ")
        assert lines[1].startswith("  runners-up: ")
        assert any("#2 main GET_DEVICE_ID reply is evidence against" in line and "upstream" in line for line in lines)

    def test_a_forced_dialect_is_marked(self) -> None:
        detector = Detector(UPSTREAM_DIALECT)
        for record in probed().records:
            detector.see(record)

        lines = list(verdict_lines(detector.verdict))

        assert lines[0] == "dialect: upstream (forced)"
        assert any("is evidence against upstream" in line for line in lines)

    def test_a_dialect_that_fits_equally_is_named_with_the_differences(self) -> None:
        talk = Conversation(protocol=named("crosvm-2022").protocol)
        talk.ask("GET_SHARED_MEMORY_REGIONS", regions=[{"id": 0}, {"id": 1}])

        lines = list(verdict_lines(detect_dialects(talk.records)[1]))

        assert any(
            line.startswith("  crosvm-2023 fits equally well; it would differ in main message 42") for line in lines
        )
