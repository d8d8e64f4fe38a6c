"""Numbers about a running proxy for monitoring: collected from events, written in the OpenMetrics format."""
