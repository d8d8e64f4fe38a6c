"""A filter at work: what it has seen, and what it shows of the end of a capture."""

from tests.conversation import Conversation
from vudissect.analysis import Analysis
from vudissect.filter import Narrowed, compile_filter, never_held


def narrowed(text: str) -> tuple[Narrowed, list[str], int]:
    """Of two connections; the second one never gets its answer: rules at the end, and requests there."""
    talk = Conversation()
    talk.front_end("SET_OWNER")
    talk.front_end("GET_FEATURES", connection=2)
    analysis = Analysis(talk.records)
    found = Narrowed(compile_filter(text), analysis)
    list(found)
    findings, unanswered = found.ending(analysis.session, analysis.finish())
    return found, [finding.rule for finding in findings], len(unanswered)


def test_it_counts_what_it_sees() -> None:
    found, _, _ = narrowed("SET_OWNER")

    assert (found.messages, found.matched) == (2, True)


def test_it_knows_that_nothing_matched() -> None:
    assert not narrowed("SET_FEATURES")[0].matched


def test_the_end_matches_by_rule() -> None:
    found, rules, unanswered = narrowed("rule=VU-RPL-03")

    assert (found.matched, rules, unanswered) == (True, ["VU-RPL-03"], 1)


def test_the_end_matches_by_connection() -> None:
    assert [narrowed(f"connection={number}")[1:] for number in (1, 2)] == [([], 0), (["VU-RPL-03"], 1)]


def test_the_end_is_about_no_message() -> None:
    assert narrowed("GET_FEATURES")[1:] == ([], 0)


def test_an_empty_capture_has_no_end() -> None:
    analysis = Analysis(())
    found = Narrowed(compile_filter("has:finding"), analysis)

    assert list(found) == []
    assert found.ending(analysis.session, analysis.finish()) == ([], ())


def instead(text: str, *others: str) -> list[tuple[str, set[object]]]:
    """What the captures of one filter have instead of what it asks for."""
    found = narrowed(text)[0].found
    for other in others:
        for seen, more in zip(found, narrowed(other)[0].found, strict=True):
            seen.add(more.held, more.values)
    return [(seen.asked.title, seen.values) for seen in never_held(found)]


def test_it_knows_what_is_there_instead() -> None:
    assert instead("GET_QUEUE_NUM") == [("messages", {"SET_OWNER", "GET_FEATURES"})]
    assert instead("connection=3") == [("connections", {1, 2})]
    assert instead("channel=gpu") == [("channels", {"main"})]
    assert instead("ring=0") == [("rings", set())]


def test_of_several_comparisons_those_count_that_never_hold() -> None:
    assert instead("SET_OWNER and connection=3") == [("connections", {1, 2})]
    assert instead("SET_OWNER and connection=2") == []


def test_what_is_excluded_is_not_missed() -> None:
    assert instead("not (SET_* or channel=gpu) and from=back-end") == [("senders", {"front-end"})]


def test_one_capture_that_has_it_is_enough() -> None:
    assert instead("connection=2 and ring=0", "connection=9 and ring=0") == [("rings", set())]
