"""Metrics: every name, unit and meaning in one place."""

import functools
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
)

_PARTITION = ("service", "topic", "partition")
_SERVICE = ("service",)
_STAGE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_LATENCY_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300)
_RECORD_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


@dataclass(frozen=True, slots=True)
class _Spec:
    """One metric: name without the prefix `orderflow_`, meaning with unit, labels, buckets."""

    name: str
    meaning: str
    labels: tuple[str, ...] = _SERVICE
    buckets: tuple[float, ...] = ()


GAUGES = (
    _Spec(
        "ready",
        "1 while a check of /health/ready passes, else 0; without the service's name before it.",
        ("service", "check"),
    ),
    _Spec("lag_messages", "Messages in the topic that are not applied yet.", _PARTITION),
    _Spec("lag_seconds", "Age of the oldest message not applied yet; 0 with none.", _PARTITION),
    _Spec("outbox_rows", "Rows committed and not yet published; counted up to 10,000 a shard."),
    _Spec("outbox_bytes", "Size of the outbox on disk, with dead rows and indexes."),
    _Spec("outbox_oldest_age_seconds", "Age of the oldest unpublished row; 0 with none."),
    _Spec("waiting_items", "Items that wait for an order or parcel that is not known yet."),
    _Spec("parked_items", "Items that failed, and items parked behind them."),
    _Spec("partition_stopped", "1 while a partition is stopped by an error, else 0.", _PARTITION),
    _Spec("fuse_level", "Failing items against the fuse's limit; it trips above 1.", _PARTITION),
    _Spec("bad_sources", "Sources whose malformed items alone exceed the limit.", _PARTITION),
    _Spec("relay_shards", "Shards of the outbox that this process publishes."),
    _Spec(
        "relay_refused_shards",
        "Shards not published: Kafka rejects their next record.",
    ),
    _Spec("campaign_reviews", "Reviews of orders after a change of campaigns, not done yet."),
    _Spec("campaign_review_age_seconds", "Age of the oldest of these reviews; 0 with none."),
    _Spec("http_connections", "Open connections to the gateway."),
    _Spec("http_requests_in_flight", "Requests whose records Kafka has not acknowledged yet."),
    _Spec("http_body_bytes_held", "Bytes of bodies that requests in progress hold."),
    _Spec("webhook_backlog", "Deliveries that failed or stand behind one; counted up to 100,000."),
    _Spec("webhook_held_groups", "Orders at destinations whose events are held: tried in vain."),
    _Spec("webhook_disabled", "Destinations that were disabled because nothing succeeded."),
    _Spec(
        "webhook_oldest_age_seconds", "Age of the oldest delivery that waits; 0 where none does."
    ),
    _Spec(
        "webhook_fresh_age_seconds",
        "Age of the oldest delivery that no process has looked at yet; 0 where there is none.",
    ),
    _Spec("webhook_shards", "Shards of destinations to which this process sends; 16 in all."),
    _Spec("webhook_open_circuits", "Destinations that get only a probe now and then."),
    _Spec("known_orders", "Orders by status, as analytics knows them.", ("service", "status")),
    _Spec(
        "known_parcels",
        "Parcels with a tracking number by phase and direction (delivery, return).",
        ("service", "phase", "direction"),
    ),
    _Spec(
        "known_deliveries",
        "Parcels delivered: early, on_time or late against the promised day, or unknown: none was.",
        ("service", "on_time"),
    ),
    _Spec(
        "parcels_overdue",
        "Parcels promised in the last 60 days whose promised day is over everywhere, and that are "
        "neither delivered nor on their way back.",
    ),
    _Spec(
        "known_claims",
        "Claims by status (withdrawn too) and reason.",
        ("service", "status", "reason"),
    ),
    _Spec(
        "database_connections",
        "Open connections of a pool, by state: used or idle.",
        ("service", "pool", "state"),
    ),
    _Spec("database_connections_max", "Connections that a pool may open.", ("service", "pool")),
    _Spec("database_waiting", "Tasks that wait for a connection of a pool.", ("service", "pool")),
)
COUNTERS = (
    _Spec(
        "items_total",
        "Items finished, by outcome (applied, no_change, rejected, waiting) and reason.",
        ("service", "topic", "outcome", "reason"),
    ),
    _Spec(
        "unmapped_scans_total",
        "Scans with a code that no code map has, by carrier or form, else `other`.",
        ("service", "carrier"),
    ),
    _Spec(
        "warnings_total",
        "Warnings about items, by code (reason): what was doubtful and did not cost the item.",
        ("service", "topic", "reason"),
    ),
    _Spec(
        "decoded_total",
        "Messages decoded (of a bulk command its items), by road: fast, or contract for those that "
        "the models of the contract had to read.",
        ("service", "type", "road"),
    ),
    _Spec(
        "parked_total",
        "Items parked or parked again, by kind; behind: an earlier item failed.",
        ("service", "topic", "kind"),
    ),
    _Spec(
        "campaign_review_failures_total",
        "Orders that a review could not decide: a bug; they are left as they were.",
    ),
    _Spec("relay_published_total", "Records acknowledged by Kafka.", ("service", "topic")),
    _Spec("fence_refusals_total", "Batches not applied because the stored position differed."),
    _Spec("rebalances_total", "Rebalances in which partitions were assigned or revoked."),
    _Spec("transient_retries_total", "Attempts repeated after a transient error."),
    _Spec(
        "http_requests_total",
        "Requests answered by the gateway, by route and status.",
        ("service", "route", "status"),
    ),
    _Spec(
        "http_refusals_total",
        "Requests that the gateway refused, by sender's form (shop: a shop) and reason.",
        ("service", "sender", "reason"),
    ),
    _Spec("http_body_bytes_total", "Bytes of bodies read.", ("service", "route")),
    _Spec("http_records_total", "Records acknowledged by Kafka.", ("service", "topic")),
    _Spec(
        "http_key_checks_total", "Keys checked against their argon2 hash.", ("service", "result")
    ),
    _Spec(
        "webhook_attempts_total",
        "Attempts to deliver an event, also to feeds: delivered, retry, exhausted or gone.",
        ("service", "verdict"),
    ),
    _Spec(
        "webhook_dropped_total", "Deliveries dropped because their destination had been removed."
    ),
    _Spec(
        "trace_spans_total",
        "Spans of traces: sent to the collector, or dropped because it does not take them.",
        ("service", "result"),
    ),
)
HISTOGRAMS = (
    _Spec("batch_records", "Kafka records in one batch.", buckets=_RECORD_BUCKETS),
    _Spec(
        "batch_stage_seconds",
        "Time of one stage of one batch: decode, read, decide, write (of orders also encode and "
        "outbox), commit; whole: all of it.",
        ("service", "stage"),
        _STAGE_BUCKETS,
    ),
    _Spec(
        "http_request_seconds",
        "Time from the head of a request to the end of its answer.",
        ("service", "route"),
        _STAGE_BUCKETS,
    ),
    _Spec(
        "webhook_attempt_seconds",
        "Time of one attempt, from the resolution of the name to the end of the answer; of a feed, "
        "until Kafka has the record.",
        buckets=_LATENCY_BUCKETS,
    ),
    _Spec(
        "event_latency_seconds",
        "From the timestamp of a record to the acknowledgement of the event it caused.",
        buckets=_LATENCY_BUCKETS,
    ),
)


class Metrics:
    """The metrics of a process under the prefix `orderflow_`, with its memory, CPU and files."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.ready = self._gauge("ready")
        self.lag_messages = self._gauge("lag_messages")
        self.lag_seconds = self._gauge("lag_seconds")
        self.outbox_rows = self._gauge("outbox_rows")
        self.outbox_bytes = self._gauge("outbox_bytes")
        self.outbox_oldest_age_seconds = self._gauge("outbox_oldest_age_seconds")
        self.waiting_items = self._gauge("waiting_items")
        self.parked_items = self._gauge("parked_items")
        self.partition_stopped = self._gauge("partition_stopped")
        self.fuse_level = self._gauge("fuse_level")
        self.bad_sources = self._gauge("bad_sources")
        self.relay_shards = self._gauge("relay_shards")
        self.relay_refused_shards = self._gauge("relay_refused_shards")
        self.items_total = self._counter("items_total")
        self.unmapped_scans_total = self._counter("unmapped_scans_total")
        self.warnings_total = self._counter("warnings_total")
        self.decoded_total = self._counter("decoded_total")
        self.parked_total = self._counter("parked_total")
        self.relay_published_total = self._counter("relay_published_total")
        self.fence_refusals_total = self._counter("fence_refusals_total")
        self.rebalances_total = self._counter("rebalances_total")
        self.transient_retries_total = self._counter("transient_retries_total")
        self.batch_records = self._histogram("batch_records")
        self.batch_stage_seconds = self._histogram("batch_stage_seconds")
        self.event_latency_seconds = self._histogram("event_latency_seconds")
        self.campaign_reviews = self._gauge("campaign_reviews")
        self.campaign_review_age_seconds = self._gauge("campaign_review_age_seconds")
        self.campaign_review_failures_total = self._counter("campaign_review_failures_total")
        self.trace_spans_total = self._counter("trace_spans_total")
        self._add_webhooks()
        self._add_requests()
        self._add_figures()
        self._add_pools()

    def begin_counters(self, service: str) -> None:
        """Export the counters without further labels as 0: of a counter that appears with its
        first increment, Prometheus does not see that increment.
        """
        for counter in (
            self.fence_refusals_total,
            self.rebalances_total,
            self.transient_retries_total,
        ):
            counter.labels(service)

    def _add_webhooks(self) -> None:
        self.webhook_backlog = self._gauge("webhook_backlog")
        self.webhook_held_groups = self._gauge("webhook_held_groups")
        self.webhook_disabled = self._gauge("webhook_disabled")
        self.webhook_oldest_age_seconds = self._gauge("webhook_oldest_age_seconds")
        self.webhook_fresh_age_seconds = self._gauge("webhook_fresh_age_seconds")
        self.webhook_shards = self._gauge("webhook_shards")
        self.webhook_open_circuits = self._gauge("webhook_open_circuits")
        self.webhook_attempts_total = self._counter("webhook_attempts_total")
        self.webhook_dropped_total = self._counter("webhook_dropped_total")
        self.webhook_attempt_seconds = self._histogram("webhook_attempt_seconds")

    def _add_requests(self) -> None:
        self.http_connections = self._gauge("http_connections")
        self.http_requests_in_flight = self._gauge("http_requests_in_flight")
        self.http_body_bytes_held = self._gauge("http_body_bytes_held")
        self.http_requests_total = self._counter("http_requests_total")
        self.http_refusals_total = self._counter("http_refusals_total")
        self.http_body_bytes_total = self._counter("http_body_bytes_total")
        self.http_records_total = self._counter("http_records_total")
        self.http_key_checks_total = self._counter("http_key_checks_total")
        self.http_request_seconds = self._histogram("http_request_seconds")

    def _add_pools(self) -> None:
        self.database_connections = self._gauge("database_connections")
        self.database_connections_max = self._gauge("database_connections_max")
        self.database_waiting = self._gauge("database_waiting")

    def _add_figures(self) -> None:
        self.known_orders = self._gauge("known_orders")
        self.known_parcels = self._gauge("known_parcels")
        self.parcels_overdue = self._gauge("parcels_overdue")
        self.known_deliveries = self._gauge("known_deliveries")
        self.known_claims = self._gauge("known_claims")

    def _gauge(self, name: str) -> Gauge:
        spec = _named(GAUGES, name)
        return Gauge(f"orderflow_{name}", spec.meaning, spec.labels, registry=self.registry)

    def _counter(self, name: str) -> Counter:
        spec = _named(COUNTERS, name)
        return Counter(f"orderflow_{name}", spec.meaning, spec.labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        spec = _named(HISTOGRAMS, name)
        return Histogram(
            f"orderflow_{name}",
            spec.meaning,
            spec.labels,
            buckets=spec.buckets,
            registry=self.registry,
        )


def _named(specs: tuple[_Spec, ...], name: str) -> _Spec:
    return next(spec for spec in specs if spec.name == name)


@functools.cache
def process_metrics() -> Metrics:
    """The metrics of this process, shared by all services in it."""
    return Metrics()
