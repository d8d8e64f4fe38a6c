"""What is counted, as the parser of Prometheus reads it."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

from tests.conversation import MILLISECOND, SECOND, Conversation, eventfd
from tests.metrics.parser import families
from vudissect.analysis import Analysis
from vudissect.capture.observation import Observation
from vudissect.capture.record import Mark, RecordKind
from vudissect.metrics.collect import Metrics
from vudissect.metrics.openmetrics import Family, Type, text_of
from vudissect.protocol.model import Channel

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "docs" / "metrics-dashboard.json"


def numbers(talk: Conversation, later: int = 0) -> dict[str, Metric]:
    """The metrics after a conversation, some time (ns) after its last record."""
    analysis = Analysis(talk.records, live=True)
    metrics = Metrics(analysis.session, "1.0")
    for event, findings in analysis:
        metrics.add(event, findings)
    return families(text_of(metrics.families(analysis.session.time + later), {"socket": "front.sock"}))


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    """The one sample with these labels, and those that all have."""
    (number,) = [
        sample.value
        for family in found.values()
        for sample in family.samples
        if sample.name == name and sample.labels == {"socket": "front.sock", **labels}
    ]
    return float(number)


def test_messages_are_counted_by_channel_sender_and_name() -> None:
    talk = Conversation()
    talk.open()
    talk.ask("GET_FEATURES", features=0)
    talk.front_end("SET_VRING_KICK", value=0, descriptors=(eventfd(1),))
    found = numbers(talk)
    assert value(found, "vudissect_messages_total", channel="main", sender="front-end", message="GET_FEATURES") == 1
    assert value(found, "vudissect_messages_total", channel="main", sender="back-end", message="GET_FEATURES") == 1
    assert value(found, "vudissect_message_bytes_total", channel="main", sender="front-end") == 12 + 20
    assert value(found, "vudissect_descriptors_total", channel="main", sender="front-end") == 1


def test_messages_that_are_not_in_the_table_have_one_name() -> None:
    talk = Conversation()
    for number in range(2000, 2010):
        talk.front_end(number, payload=b"")
    assert value(numbers(talk), "vudissect_messages_total", channel="main", sender="front-end", message="other") == 10


def test_the_time_of_an_answer_is_in_the_histogram_of_who_answers() -> None:
    talk = Conversation()
    talk.front_end("GET_FEATURES")
    talk.back_end("GET_FEATURES", features=0, after=20 * MILLISECOND)
    found = numbers(talk)
    labels = {"channel": "main", "sender": "back-end", "message": "GET_FEATURES"}
    assert value(found, "vudissect_answer_seconds_bucket", le="0.01", **labels) == 0
    assert value(found, "vudissect_answer_seconds_bucket", le="0.03", **labels) == 1
    assert value(found, "vudissect_answer_seconds_count", **labels) == 1
    assert value(found, "vudissect_answer_seconds_sum", **labels) == pytest.approx(0.02, rel=0.01)


def test_a_request_that_waits_has_an_age() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("GET_FEATURES")
    found = numbers(talk, later=3 * SECOND)
    assert value(found, "vudissect_open_requests", channel="main") == 1
    assert value(found, "vudissect_open_requests", channel="backend") == 0
    assert value(found, "vudissect_open_request_age_seconds", channel="main") == pytest.approx(3, rel=0.01)


def test_a_request_that_is_never_answered_counts_when_its_connection_is_closed() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("GET_FEATURES")
    talk.close("back-end")
    found = numbers(talk)
    assert value(found, "vudissect_unanswered_requests_total") == 1
    assert value(found, "vudissect_open_requests", channel="main") == 0


def test_connections_after_the_first_are_reconnects() -> None:
    talk = Conversation()
    for number in (1, 2, 3):
        talk.open(connection=number)
        if number < 3:
            talk.close("back-end", connection=number)
    found = numbers(talk)
    assert value(found, "vudissect_connections_total") == 3
    assert value(found, "vudissect_reconnects_total") == 2
    assert value(found, "vudissect_open_connections") == 1


def test_devices_of_a_vm_are_told_apart_by_their_id() -> None:
    talk = Conversation()
    for number, name in enumerate(("disk0", "net0", "net0"), 1):
        talk.open(connection=number, device_id=name)
        talk.front_end("GET_FEATURES", connection=number)
        seen = Observation(0, avail=5, used=3, pending=number)
        talk.event(RecordKind.RING_OBSERVED, Channel.MAIN, number, MILLISECOND, **seen.details)
    found = numbers(talk)
    for device, count, pending in (("disk0", 1, 1), ("net0", 2, 3)):
        assert value(found, "vudissect_connections_total", device=device) == count
        assert value(found, "vudissect_reconnects_total", device=device) == count - 1
        assert value(found, "vudissect_open_connections", device=device) == count
        assert value(found, "vudissect_open_requests", device=device, channel="main") == count
        assert value(found, "vudissect_ring_pending", device=device, ring="0") == pending


def test_findings_count_by_severity_rule_and_blame() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=0, num=7)
    found = numbers(talk)["vudissect_findings"].samples
    assert {(sample.labels["severity"], sample.labels["blame"]) for sample in found} >= {("error", "front-end")}


def test_what_is_lost_is_counted() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_KICK", value=0, marks=Mark.DESCRIPTORS_LOST)
    talk.front_end("SET_FEATURES", payload=b"\0")
    talk.event(RecordKind.GAP, messages=5, reason="too slow")
    found = numbers(talk)
    sender = {"channel": "main", "sender": "front-end"}
    assert value(found, "vudissect_lost_messages_total") == 5
    assert value(found, "vudissect_messages_without_descriptors_total", **sender) == 1
    assert value(found, "vudissect_malformed_messages_total", **sender) == 1


def test_the_last_look_into_a_ring_is_shown() -> None:
    talk = Conversation()
    talk.open()
    for pending in (3, 2):
        seen = Observation(1, avail=5, used=3, pending=pending, waited=SECOND)
        talk.event(RecordKind.RING_OBSERVED, Channel.MAIN, 1, MILLISECOND, **seen.details)
    found = numbers(talk)
    assert value(found, "vudissect_ring_observations_total", ring="1") == 2
    assert value(found, "vudissect_ring_pending", ring="1") == 2
    assert value(found, "vudissect_ring_waited_seconds", ring="1") == 1


def test_every_family_has_its_version_and_help() -> None:
    found = numbers(Conversation())
    assert value(found, "vudissect_build_info", version="1.0") == 1
    assert all(family.documentation.endswith(".") for family in found.values())


def test_a_label_may_have_any_text() -> None:
    family = Family("vudissect_test", Type.GAUGE, "A test.", ("text",))
    text = 'back\\slash, "quotes"\nand a line'
    family.add(text)
    assert families(text_of([family], {}))["vudissect_test"].samples[0].labels == {"text": text}


def test_the_dashboard_asks_only_for_metrics_that_exist() -> None:
    found = numbers(Conversation())
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"vudissect_\w+", query)}
    suffixes = ("", "_total", "_bucket", "_count", "_sum", "_info")
    assert asked <= {name + suffix for name in found for suffix in suffixes}
    assert len(queries) >= 8


def test_the_page_lists_every_metric() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"^\| `(vudissect_\w+?)(?:_total|_info)?`", page, re.MULTILINE)) == set(
        numbers(Conversation())
    )
