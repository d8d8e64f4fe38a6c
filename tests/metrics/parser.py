"""The parser of Prometheus."""

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def families(text: str) -> dict[str, Metric]:
    """The families of metrics in a text, by name; raises `ValueError` if it is not OpenMetrics."""
    return {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
