"""Text: the options of the transcript, and the frame of a report."""

from tests.render.formats.talks import broken, differing, linted, shown, summarised, timed
from vudissect.render.format import Differing, Option, Reported, Shown, Summarised, Timed
from vudissect.render.formats import formats_of

TRANSCRIPT = formats_of(Shown)["text"].render
REPORT = formats_of(Reported)["text"].render


def lines(*options: Option) -> list[str]:
    return "".join(TRANSCRIPT(shown(broken(), *options))).splitlines()


def test_findings_at_the_end_of_the_capture_come_last() -> None:
    assert lines()[-1].lstrip().startswith("! error VU-RPL-03 #1 back-end: GET_FEATURES (#1) never got its answer")


def test_times_can_be_left_out() -> None:
    assert lines(Option.NO_TIMES)[0] == "     1  F>B GET_FEATURES"


def test_every_field_can_be_shown() -> None:
    assert len(lines(Option.VERBOSE)) > len(lines())


def test_one_capture_needs_no_title() -> None:
    assert next(REPORT(linted(broken()))).startswith("error VU-")


def test_each_of_several_captures_has_its_name_above() -> None:
    titles = [line for line in REPORT(linted(broken(), broken())) if line.endswith(".pcapng:\n")]

    assert titles == ["1.pcapng:\n", "2.pcapng:\n"]


def test_differences_end_with_their_number() -> None:
    text = "".join(formats_of(Differing)["text"].render(differing(broken(), broken())))

    assert text == "no differences\n"


def test_each_of_several_times_has_its_name_above() -> None:
    lines = list(formats_of(Timed)["text"].render(timed(broken(), broken())))

    assert [line for line in lines if line.endswith(".pcapng:\n")] == ["1.pcapng:\n", "2.pcapng:\n"]


def test_each_of_several_summaries_has_its_name_above() -> None:
    text = "".join(formats_of(Summarised)["text"].render(summarised(broken(), broken())))

    assert text.startswith("1.pcapng:\nverdict ")
    assert "\n\n2.pcapng:\nverdict " in text
