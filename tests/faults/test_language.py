"""How faults are written, and what is said about those that cannot be understood."""

import pytest

from vudissect.faults.action import ACTIONS
from vudissect.faults.errors import FaultError, ScenarioError
from vudissect.faults.language import read_fault, read_scenario
from vudissect.protocol.model import Channel


def test_a_fault_is_a_filter_and_an_action() -> None:
    fault = read_fault("SET_VRING_ENABLE and ring=1 : drop")

    assert (fault.wanted.text, [kind.name for kind in fault.kinds]) == ("SET_VRING_ENABLE and ring=1", ["drop"])
    assert (fault.count, fault.after, fault.probability, fault.seed) == (None, 0, 1.0, 0)


def test_it_may_have_several_actions_and_options() -> None:
    fault = read_fault("has:fd: delay 5ms, duplicate ; count=3 after=1 probability=0.5 seed=7")

    assert (fault.wanted.text, [kind.name for kind in fault.kinds]) == ("has:fd", ["delay", "duplicate"])
    assert (fault.count, fault.after, fault.probability, fault.seed) == (3, 1, 0.5, 7)


@pytest.mark.parametrize(
    ("wanted", "looked_at"),
    [
        ("GET_QUEUE_NUM", {17}),
        ("GET_QUEUE_NUM or 8", {8, 17}),
        ("GET_QUEUE_NUM and from=back-end", {17}),
        ("(GET_QUEUE_NUM or 8) and ring=0", {8}),
    ],
)
def test_only_messages_that_can_match_have_to_be_looked_at(wanted: str, looked_at: set[int]) -> None:
    numbers = read_fault(f"{wanted} : drop").wanted.numbers

    assert numbers is not None
    assert {number for channel, number in numbers if channel is Channel.MAIN} == looked_at


@pytest.mark.parametrize("wanted", ["not GET_QUEUE_NUM", "from=back-end", "GET_QUEUE_NUM or has:fd"])
def test_others_are_about_any_message(wanted: str) -> None:
    assert read_fault(f"{wanted} : drop").wanted.numbers is None


def test_a_scenario_has_one_a_line() -> None:
    faults = read_scenario(["# a storm\n", "\n", "SET_OWNER : drop\n", "  GET_FEATURES : delay 1s\n"], 3)

    assert [(fault.number, fault.text) for fault in faults] == [(3, "SET_OWNER : drop"), (4, "GET_FEATURES : delay 1s")]


def test_an_error_in_a_scenario_has_its_line_and_column() -> None:
    with pytest.raises(ScenarioError, match=r"^line 2, column 13: unknown action dorp; did you mean drop\?$"):
        read_scenario(["# a storm", "SET_OWNER : dorp"])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SET_OWNER drop", "column 15: expected a colon with a blank before or after it, and an action"),
        ("SET_OWNER:drop", "column 10: expected a colon with a blank"),
        (" : drop", "column 1: expected a filter"),
        ("SET_OWNR : drop", r"column 1: unknown message SET_OWNR; did you mean SET_OWNER\?"),
        ("SET_OWNER :", "column 12: expected an action"),
        ("SET_OWNER : drop,", "column 18: expected an action, such as drop"),
        ("SET_OWNER : drop # twice", "column 18: a comment is a line of its own"),
        ("SET_OWNER : drop count=1", "column 18: options come after a semicolon: ; count=1"),
        ("SET_FEATURES : mask 1, F_2", "column 24: unknown action F_2: a comma begins another action"),
        ("SET_OWNER : drop 3", "column 18: drop has no argument 3; its arguments: none"),
        ("SET_OWNER : delay", "column 18: delay needs a time"),
        ("SET_OWNER : delay 3", "column 19: expected a time and its unit"),
        ("SET_OWNER : jitter 3s 1s", "column 20: jitter needs the shorter time first"),
        ("SET_OWNER : split 0", "column 19: expected the first byte of the second part, a number from 1"),
        ("SET_OWNER : throttle 10", "column 22: expected messages a second"),
        ("SET_OWNER : close proxy", "column 19: unknown side proxy"),
        ("SET_OWNER : add-fd fifo", "column 20: unknown kind fifo"),
        ("SET_OWNER : flip neet_reply", "column 18: expected need_reply"),
        ("SET_VRING_NUM : set nun=1", r"column 21: unknown name nun; did you mean num\?"),
        ("SET_VRING_NUM : set desc=1", "column 21: SET_VRING_NUM has no field desc; its fields: index, num"),
        ("SET_OWNER or SET_VRING_NUM : set desc=1", "column 34: none of these messages has a field desc"),
        ("SET_VRING_NUM : set num=-1", "column 25: num needs a number from 0 to 0xffffffff"),
        ("SET_VRING_NUM : set num=5G", "column 25: num needs a number from 0 to 0xffffffff"),
        ("SET_VRING_NUM : mask MQ", "column 17: SET_VRING_NUM has no features"),
        ("SET_MEM_TABLE : close-fd memfd", r"column 26: close-fd has no argument memfd; its arguments: \[N\]"),
        ("SET_MEM_TABLE : withhold-fd x", "column 29: expected the place of a descriptor, a number from 0, not x"),
        ("SET_VRING_NUM : set num", "column 21: expected FIELD=VALUE"),
        ("SET_VRING_NUM : set header.size=x", "column 33: header.size needs a number"),
        ("SET_FEATURES : mask VERSON_1", "column 21: unknown feature VERSON_1; did you mean VERSION_1"),
        ("SET_FEATURES : mask 64", "column 21: a feature has a bit from 0 to 63"),
        ("SET_OWNER : insert SET_OWNR", "column 20: unknown message SET_OWNR"),
        ("SET_OWNER : insert SET_VRING_NUM nm=1", "column 34: SET_VRING_NUM: no field 'nm'"),
        ("SET_OWNER : drop ; cout=1", r"column 20: unknown option cout; did you mean count\?"),
        ("SET_OWNER : drop ; count", "column 25: count needs a number from 1, as in count=1, not nothing"),
        ("SET_OWNER : drop ; count=0", "column 26: count needs a number from 1"),
        ("SET_OWNER : drop ; count=1 count=2", "column 28: count is there twice"),
        ("SET_OWNER : drop ; count=1, after=2", "column 27: options are separated by blanks"),
        ("SET_OWNER : drop ; probability=2", "column 32: probability needs a number from 0 to 1"),
        ("has:finding : drop", "column 1: a message is passed on before it is judged"),
        ("SET_OWNER and has:finding : drop", "column 15: a message is passed on before it is judged"),
        ("ring=1 and frame > 3 : drop", "column 12: frames have no numbers yet"),
    ],
)
def test_an_error_names_the_column_and_the_remedy(text: str, error: str) -> None:
    with pytest.raises(FaultError, match=f"^{error}"):
        read_fault(text)


@pytest.mark.parametrize(
    "text",
    [
        "8 : set desc=1",
        "from=front-end : mask MQ",
        "SET_MEM_TABLE or SET_OWNER : set regions[1].size=0x1000",
        "SET_VRING_* : set num=0x100 desc=1",
        "SET_CONFIG : set contents=00ff",
        "GET_FEATURES : mask VERSION_1",
        "SET_STATUS : set status=DRIVER",
    ],
)
def test_what_some_of_the_messages_can_have_is_no_mistake(text: str) -> None:
    assert read_fault(text).kinds


def test_there_are_many_kinds_and_each_is_documented(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs" / "faults.md").read_text()
    rows = [
        f"| `{kind.name}{f' {kind.arguments}' if kind.arguments else ''}` | {kind.meaning} | {kind.bug} |"
        for kind in ACTIONS
    ]

    assert len(rows) >= 15
    assert [row for row in rows if row not in page.replace("\\|", "|")] == []
