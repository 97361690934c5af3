"""The page of operators: what is wrong, where it comes from, and the entry of the runbook."""

from __future__ import annotations

from typing import Any

from tools.dashboards.panels import (
    ELSE_0,
    Limit,
    Query,
    Row,
    graph,
    number,
    page,
    rows_of_labels,
)
from tools.dashboards.service_rows import campaigns, deliveries, gateway, processes

# Several replicas and processes: gauges of tables are the same in each (`max`); what a process has
# for itself, and rates, are summed. ELSE_0: what has no series while nothing is wrong.


def operators() -> dict[str, Any]:
    """The page as JSON."""
    return page(
        "orderflow-operators",
        "Orderflow: operators",
        "What is wrong with Orderflow, and where. Red begins where an alert begins.",
        [
            _glance(),
            _reading(),
            _items(),
            _outbox(),
            gateway(),
            deliveries(),
            campaigns(),
            processes(),
        ],
        ("namespace", "service", "topic"),
    )


def _glance() -> Row:
    return Row(
        "At a glance",
        [
            number(
                "Alerts",
                "Alerts of Orderflow that fire now.",
                f'count(ALERTS{{alertname=~"Orderflow.*", alertstate="firing"}}) {ELSE_0}',
                limit=Limit(1),
            ),
            number(
                "Checks that fail",
                "Checks of readiness that fail on every replica of a service.",
                f"count(max by (namespace, service, check) (orderflow_ready{{@}}) == 0) {ELSE_0}",
                limit=Limit(1),
            ),
            number(
                "Lag",
                "Age of the oldest message that is not applied yet.",
                "max(orderflow_lag_seconds{@topic})",
                unit="s",
                limit=Limit(60, "OrderflowLagGrows"),
            ),
            number(
                "Stopped partitions",
                "Partitions that an error or the fuse has stopped; their messages wait in Kafka.",
                "sum(max by (namespace, service, topic, partition) "
                "(orderflow_partition_stopped{@topic}))",
                limit=Limit(1, "OrderflowPartitionStopped"),
            ),
            number(
                "Parked items",
                "Items that failed, and items parked behind them; their orders wait.",
                "sum(max by (namespace, service) (orderflow_parked_items{@}))",
                limit=Limit(1, "OrderflowItemsParked"),
            ),
            number(
                "Unpublished events",
                "Age of the oldest committed row that is not published yet.",
                "max(orderflow_outbox_oldest_age_seconds{@})",
                unit="s",
                limit=Limit(30, "OrderflowEventsNotPublished"),
            ),
            number(
                "Requests not taken",
                "Requests in the last 5 minutes that the gateway answered with 503.",
                f'sum(increase(orderflow_http_requests_total{{@, status="503"}}[5m])) {ELSE_0}',
                limit=Limit(1, "OrderflowRequestsNotTaken"),
            ),
            number(
                "Oldest delivery",
                "Age of the oldest event that waits for a receiver of a shop.",
                f"max(orderflow_webhook_oldest_age_seconds{{@}}) {ELSE_0}",
                unit="s",
                limit=Limit(86_400, "OrderflowDeliveriesOld"),
            ),
            rows_of_labels(
                "Alerts that fire",
                "Their names are those of entries in the runbook.",
                "count by (alertname, severity, service) "
                '(ALERTS{alertname=~"Orderflow.*", alertstate="firing"}) '
                f"{ELSE_0}",
                span=12,
            ),
            rows_of_labels(
                "Services that are not ready",
                "Services and checks of readiness; the answer of /health/ready says why.",
                f"max by (service, check) (orderflow_ready{{@}}) == 0 {ELSE_0}",
                span=12,
            ),
        ],
    )


def _reading() -> Row:
    return Row(
        "Reading",
        [
            graph(
                "Lag in seconds",
                "Age of the oldest message of each topic that is not applied yet.",
                Query(
                    "max by (service, topic) (orderflow_lag_seconds{@topic})",
                    "{{service}} {{topic}}",
                ),
                unit="s",
                limit=Limit(60, "OrderflowLagGrows"),
            ),
            graph(
                "Lag in messages",
                "Messages in each topic that are not applied yet, over all partitions.",
                Query(
                    "sum by (service, topic) (max by (namespace, service, topic, partition) "
                    "(orderflow_lag_messages{@topic}))",
                    "{{service}} {{topic}}",
                ),
            ),
            graph(
                "Items",
                "Items finished a second, by outcome.",
                Query(
                    "sum by (service, outcome) "
                    "(rate(orderflow_items_total{@topic}[$__rate_interval]))",
                    "{{service}} {{outcome}}",
                ),
                unit="cps",
            ),
            graph(
                "From message to event",
                "Time from the timestamp of a message to the acknowledgement of the event it "
                "caused: the slowest of a hundred, and half of all.",
                *(
                    Query(
                        f"histogram_quantile({share}, sum by (service, le) "
                        "(rate(orderflow_event_latency_seconds_bucket{@}[$__rate_interval])))",
                        f"{{{{service}}}} {name}",
                    )
                    for share, name in ((0.99, "p99"), (0.5, "p50"))
                ),
                unit="s",
                limit=Limit(5, "OrderflowEventsSlow"),
            ),
            graph(
                "Time of a batch",
                "Mean time of a batch, from its first record to its commit.",
                Query(_mean_time("service", 'stage="whole"'), "{{service}}"),
                unit="s",
            ),
            graph(
                "Stages of a batch",
                "Mean time of each stage of a batch, over the services that are chosen above.",
                Query(_mean_time("stage", 'stage!="whole"'), "{{stage}}"),
                unit="s",
                is_stacked=True,
            ),
            graph(
                "Records of a batch",
                "Mean number of Kafka records in a batch: few while there is no lag.",
                Query(
                    "sum by (service) (rate(orderflow_batch_records_sum{@}[$__rate_interval])) "
                    "/ sum by (service) "
                    "(rate(orderflow_batch_records_count{@}[$__rate_interval]))",
                    "{{service}}",
                ),
            ),
            graph(
                "Retries",
                "Attempts repeated a second after a lost connection or a deadlock.",
                Query(
                    "sum by (service) "
                    "(rate(orderflow_transient_retries_total{@}[$__rate_interval]))",
                    "{{service}}",
                ),
                unit="cps",
                limit=Limit(1, "OrderflowTransientRetries"),
            ),
            graph(
                "Rebalances",
                "Changes of partitions between replicas, and batches not applied because another "
                "replica had the partition.",
                Query(
                    "sum by (service) (increase(orderflow_rebalances_total{@}[$__rate_interval]))",
                    "{{service}} rebalances",
                ),
                Query(
                    "sum by (service) "
                    "(increase(orderflow_fence_refusals_total{@}[$__rate_interval]))",
                    "{{service}} refused by the fence",
                ),
            ),
        ],
    )


def _mean_time(by: str, matcher: str) -> str:
    seconds, count = (
        f"sum by ({by}) "
        f"(rate(orderflow_batch_stage_seconds_{part}{{@, {matcher}}}[$__rate_interval]))"
        for part in ("sum", "count")
    )
    return f"{seconds} / {count}"


def _items() -> Row:
    return Row(
        "Items that were not applied",
        [
            graph(
                "Rejected",
                "Items rejected a second, by reason; the record on *.rejected has the sender.",
                Query(
                    "sum by (service, reason) "
                    '(rate(orderflow_items_total{@topic, outcome="rejected"}[$__rate_interval])) '
                    f"{ELSE_0}",
                    "{{service}} {{reason}}",
                ),
                unit="cps",
            ),
            graph(
                "Warnings",
                "Warnings about applied items a second, by what was doubtful.",
                Query(
                    "sum by (service, reason) "
                    f"(rate(orderflow_warnings_total{{@topic}}[$__rate_interval])) {ELSE_0}",
                    "{{service}} {{reason}}",
                ),
                unit="cps",
            ),
            graph(
                "Waiting",
                "Items that wait for an order or a parcel that is not known yet.",
                Query("max by (service) (orderflow_waiting_items{@})", "{{service}}"),
            ),
            graph(
                "Parked",
                "Items that failed, and items parked behind them.",
                Query("max by (service) (orderflow_parked_items{@})", "{{service}}"),
                Query(
                    "sum by (service, kind) "
                    f"(increase(orderflow_parked_total{{@topic}}[$__rate_interval])) {ELSE_0}",
                    "{{service}} newly parked: {{kind}}",
                ),
                limit=Limit(1, "OrderflowItemsParked"),
            ),
            graph(
                "Stopped partitions and bad sources",
                "Partitions that are stopped, and senders whose malformed items exceed the limit.",
                Query(
                    "sum by (service, topic) (max by (namespace, service, topic, partition) "
                    "(orderflow_partition_stopped{@topic}))",
                    "{{service}} {{topic}} stopped",
                ),
                Query(
                    f"max by (service, topic) (orderflow_bad_sources{{@topic}}) {ELSE_0}",
                    "{{service}} {{topic}} bad sources",
                ),
                limit=Limit(1, "OrderflowPartitionStopped"),
            ),
            graph(
                "Fuse",
                "Failing items against the limit of each topic's fullest fuse; at 1 it stops its "
                "partition.",
                Query(
                    "max by (service, topic) (orderflow_fuse_level{@topic})",
                    "{{service}} {{topic}}",
                ),
                unit="percentunit",
                limit=Limit(0.5, "OrderflowFuseFilling"),
            ),
            graph(
                "Codes of carriers without a meaning",
                "Scans in the last hour with a code that no code map has, by carrier.",
                Query(
                    "sum by (carrier) (increase(orderflow_unmapped_scans_total{@}[1h])) "
                    f"{ELSE_0}",
                    "{{carrier}}",
                ),
                limit=Limit(10, "OrderflowCodesUnmapped"),
                span=12,
            ),
            graph(
                "Decoded on the slow road",
                "Messages a second, by type, that the models of the contract had to read: mostly "
                "those with warnings or refused.",
                Query(
                    "sum by (service, type) "
                    '(rate(orderflow_decoded_total{@, road="contract"}[$__rate_interval])) '
                    f"{ELSE_0}",
                    "{{service}} {{type}}",
                ),
                unit="cps",
                span=12,
            ),
        ],
    )


def _outbox() -> Row:
    return Row(
        "Outbox and relay",
        [
            graph(
                "Oldest unpublished row",
                "Age of the oldest committed row that is not published yet.",
                Query("max by (service) (orderflow_outbox_oldest_age_seconds{@})", "{{service}}"),
                unit="s",
                limit=Limit(30, "OrderflowEventsNotPublished"),
            ),
            graph(
                "Unpublished rows",
                "Rows that are committed and not published yet.",
                Query("max by (service) (orderflow_outbox_rows{@})", "{{service}}"),
            ),
            graph(
                "Size of the outbox",
                "Size on disk, with dead rows and indexes.",
                Query("max by (service) (orderflow_outbox_bytes{@})", "{{service}}"),
                unit="bytes",
            ),
            graph(
                "Published",
                "Records a second that Kafka acknowledged, by topic.",
                Query(
                    "sum by (service, topic) "
                    "(rate(orderflow_relay_published_total{@topic}[$__rate_interval]))",
                    "{{service}} {{topic}}",
                ),
                unit="cps",
                span=12,
            ),
            graph(
                "Shards",
                "Shards that a relay holds, in all replicas together: as many as "
                "ORDERFLOW_OUTBOX_SHARDS; and shards whose next record Kafka rejects.",
                Query("sum by (service) (orderflow_relay_shards{@})", "{{service}} held"),
                Query(
                    "sum by (service) (orderflow_relay_refused_shards{@})", "{{service}} refused"
                ),
                span=12,
            ),
        ],
    )
