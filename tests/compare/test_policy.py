"""Policies as users write them, and what is refused."""

import pytest

from vudissect.compare.policy import (
    EXACT,
    IGNORED,
    OPTIONAL,
    How,
    Policy,
    PolicyError,
    Rule,
    allow,
    override,
    overrides_of_file,
)


def test_a_file_gives_a_rule_for_each_field() -> None:
    text = """
    [policy]
    "GET_FEATURES.features" = "may add"
    "GET_CONFIG.contents" = "ignored"
    "GET_PROTOCOL_FEATURES.features" = "mask 0x2b"
    "GET_STATUS.status" = "mask 010"
    "GET_QUEUE_NUM.queues" = "at least"
    SEND_RARP = "optional"
    "SET_VRING_ADDR.*" = "exact"
    SET_MEM_TABLE.regions.user_addr = "related"
    """

    rules = {f"{item.message}.{item.field}": item.rule for item in overrides_of_file(text, "policy.toml")}

    assert rules == {
        "GET_FEATURES.features": Rule(How.ADDED),
        "GET_CONFIG.contents": Rule(How.IGNORED),
        "GET_PROTOCOL_FEATURES.features": Rule(How.MASKED, 0x2B),
        "GET_STATUS.status": Rule(How.MASKED, 10),
        "GET_QUEUE_NUM.queues": Rule(How.AT_LEAST),
        "SEND_RARP.": OPTIONAL,
        "SET_VRING_ADDR.*": EXACT,
        "SET_MEM_TABLE.regions.user_addr": Rule(How.RELATED),
    }


@pytest.mark.parametrize(
    "path",
    [
        "get_config.contents",
        "VHOST_USER_GET_CONFIG.contents",
        "SLEEP.success",
        "*.flags.need_reply",
        "SET_VRING_CALL.nofd",
        "SET_MEM_TABLE.fds.size",
        "connection.close",
    ],
)
def test_a_field_of_any_message_of_any_dialect_can_be_named(path: str) -> None:
    assert override(path, EXACT).rule is EXACT


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("GET_CONFIG", "write MESSAGE.FIELD"),
        (".contents", "write MESSAGE.FIELD"),
        ("GET_CONFIGS.contents", "unknown message GET_CONFIGS"),
        ("GET_CONFIG.content", "has no field content; did you mean contents?"),
        ("SET_OWNER.value", "has no field value; its fields: none of its own"),
        ("connection.features", "unknown message connection"),
    ],
)
def test_an_unknown_field_is_refused_with_a_list_of_known_ones(path: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        override(path, EXACT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("policy", "policy.toml: not TOML"),
        ("", r"policy.toml: write \[policy\]"),
        ("[rules]", r"policy.toml: write \[policy\]"),
        ("[policy]\n[more]", r"policy.toml: write \[policy\]"),
        ('[policy]\n"GET_CONFIG.contents" = "what it likes"', "'what it likes' is not a rule"),
        ('[policy]\n"GET_CONFIG.contents" = 1', "1 is not a rule"),
        ('[policy]\n"GET_CONFIG.contents" = "mask"', "'mask' is not a rule"),
        (f'[policy]\n"GET_CONFIG.contents" = "mask {"9" * 5000}"', "is not a rule.*64 bits"),
        ('[policy]\n"GET_CONFIG.contents" = "mask 0x1ffffffffffffffff"', "is not a rule.*64 bits"),
        (f'[policy]\n"GET_CONFIG.contents" = 0x{"f" * 5000}', "a number is not a rule"),
        (f'[policy]\n"GET_CONFIG.contents" = {"9" * 5000}', "policy.toml: not TOML"),
        ("a = " + "[" * 100_000, "policy.toml: not TOML"),
        ('[policy]\nGET_CONFIG = "ignored"', 'write MESSAGE.FIELD, a message and a field, or MESSAGE = "optional"'),
        ('[policy]\nSEND_RARPS = "optional"', "'SEND_RARPS': unknown message SEND_RARPS"),
        ('[policy]\nSEND_RARP.mac = "optional"', "only whole messages are optional; write SEND_RARP without a field"),
    ],
)
def test_an_invalid_file_is_refused(text: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        overrides_of_file(text, "policy.toml")


def test_a_pattern_makes_all_messages_with_such_a_name_optional() -> None:
    policy = Policy([override("*_STATUS", OPTIONAL)])

    assert [name for name in ("GET_STATUS", "SET_STATUS", "SET_VRING_ERR") if policy.is_optional(name)] == [
        "GET_STATUS",
        "SET_STATUS",
    ]


def test_a_message_whose_fields_are_all_ignored_is_not_optional() -> None:
    assert not Policy([override("SEND_RARP.*", IGNORED)]).is_optional("SEND_RARP")


def test_a_field_of_an_optional_message_is_compared_as_ever() -> None:
    assert Policy([override("SEND_RARP", OPTIONAL)]).named("SEND_RARP", "mac") is None


@pytest.mark.parametrize(("text", "rule"), [("GET_*.features", IGNORED), ("vhost_user_send_rarp", OPTIONAL)])
def test_what_is_allowed_is_a_field_or_a_message(text: str, rule: Rule) -> None:
    assert allow(text).rule is rule
