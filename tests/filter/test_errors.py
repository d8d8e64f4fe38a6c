"""A filter that cannot be understood: the column, what is wrong, and what was perhaps meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vudissect.filter import FilterError, compile_filter, message_filter
from vudissect.filter.keys import KEYS, THINGS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ring=1 or SET_VRNIG_NUM", "column 11: unknown message SET_VRNIG_NUM; did you mean SET_VRING_NUM?"),
        ("SET_SLAVE_REQ_FB", "column 1: unknown message SET_SLAVE_REQ_FB; did you mean SET_SLAVE_REQ_FD?"),
        ("QQQ_*", "column 1: unknown message QQQ_*"),
        ("99999999999", "column 1: 99999999999 is too large for the number of a message"),
        ("vring.nmu>1", "column 1: unknown name vring.nmu; did you mean vring.num?"),
        ("SET_OWNER.num=1", "column 1: unknown name SET_OWNER.num; did you mean owner.num?"),
        ("rign=1", "column 1: unknown name rign; did you mean ring?"),
        ("perm=RX", "column 6: unknown value of perm: RX; known: none, RO, WO, RW"),
        ("features=VERSON_1", "column 10: unknown value of features: VERSON_1; did you mean VERSION_1?"),
        ("features>MQ", "column 10: features has no order: compare it with = or !="),
        ("channel<gpu", "column 9: channel has no order: compare it with = or !="),
        (
            "from=left",
            "column 6: unknown from left; known: front-end, back-end, proxy, frontend, backend, master, slave",
        ),
        ("severity>bad", "column 10: unknown severity bad; known: info, compat, warning, error"),
        ("rule=VU-MEM-7O", "column 6: unknown rule VU-MEM-7O; did you mean VU-MEM-07?"),
        ("rule=removed-regio", "column 6: unknown rule removed-regio; did you mean removed-region?"),
        ("has:fds", "column 5: unknown thing to have: fds; did you mean fd?"),
        ("ring=one", "column 6: expected a number, not one"),
        ("latency>100", "column 9: expected a time and its unit (ns, us, ms, s), as in latency>100ms"),
        ("ring", "column 1: ring needs an operator and a value: ring=..."),
        ("ring==1", "column 6: write = once"),
        ("ring=", "column 6: expected a value for ring, not the end"),
        ("", "column 1: expected a message, has: or a comparison, not the end"),
        ("not", "column 4: expected a message, has: or a comparison, not the end"),
        ("SET_OWNER or", "column 13: expected a message, has: or a comparison, not the end"),
        ("(SET_OWNER", "column 11: expected ) for the ( in column 1, not the end"),
        ("SET_OWNER)", "column 10: expected and, or, or the end, not )"),
        ("SET_OWNER ring=1", "column 11: expected and, or, or the end, not ring"),
        ("SET_OWNER && ring=1", "column 11: unknown operator &&; did you mean and?"),
        ("(" * 51, "column 51: more than 50 parentheses are open"),
    ],
)
def test_it_names_the_column_and_the_remedy(text: str, says: str) -> None:
    with pytest.raises(FilterError) as failure:
        compile_filter(text)

    assert str(failure.value) == says
    assert failure.value.column == int(says.split(":")[0].removeprefix("column "))


def test_a_message_that_is_not_known_is_refused_without_a_column() -> None:
    with pytest.raises(FilterError) as failure:
        message_filter("SET_OWNR")

    assert failure.value.reason == "unknown message SET_OWNR; did you mean SET_OWNER?"


WORDS = st.sampled_from(
    [*KEYS, *(f"has:{name}" for name in THINGS), "and", "or", "not", "!", "(", ")", "=", "!=", "<", ">=", "SET_*",
     "num", "vring.num", "features", "MQ", "0x10", "5ms", "-1", "1G", "error", "VU-VRG", "\0", "\udcff", "[",
     "[]", "*", "."]
)  # fmt: skip


def column_of(text: str) -> int:
    """Where the error is; 1 if there is none."""
    try:
        compile_filter(text)
    except FilterError as error:
        return error.column
    return 1


@given(st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=40))
def test_every_text_is_a_filter_or_an_error_with_a_column(text: str) -> None:
    assert 1 <= column_of(text) <= len(text) + 1


@pytest.mark.parametrize("text", ["!" * 10_001 + "1", "not " * 10_000 + "1", " or ".join(["1"] * 10_000)])
def test_a_long_one_is_a_filter_too(text: str) -> None:
    compile_filter(text)
