"""The largest numbers that options take: those that Kafka and Postgres have."""

INT32_MAX = 2**31 - 1
"""Of partitions, and of items of a message."""
INT64_MAX = 2**63 - 1
"""Of offsets and rows."""
LIMIT_MAX = 1_000_000
"""Most entries that a list shows."""
PORT_MAX = 65_535
SECONDS_MAX = 86_400.0
"""Longest wait of a command."""
