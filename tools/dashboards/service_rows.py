"""Rows of the page of operators about single services, and about processes; closed at first."""

from __future__ import annotations

from tools.dashboards.panels import ELSE_0, Limit, Query, Row, graph


def gateway() -> Row:
    """Requests over HTTP."""
    return Row(
        "Gateway",
        [
            graph(
                "Requests",
                "Requests a second, by status of the answer.",
                Query(
                    "sum by (status) "
                    f"(rate(orderflow_http_requests_total{{@}}[$__rate_interval])) {ELSE_0}",
                    "{{status}}",
                ),
                unit="reqps",
                is_stacked=True,
            ),
            graph(
                "Time of a request",
                "Time until the end of the answer, of the slowest of a hundred requests, by route.",
                Query(
                    "histogram_quantile(0.99, sum by (route, le) "
                    "(rate(orderflow_http_request_seconds_bucket{@}[$__rate_interval]))) "
                    f"{ELSE_0}",
                    "{{route}}",
                ),
                unit="s",
            ),
            graph(
                "Refused requests",
                "Requests refused a second, by form of the sender and reason.",
                Query(
                    "sum by (sender, reason) "
                    f"(rate(orderflow_http_refusals_total{{@}}[$__rate_interval])) {ELSE_0}",
                    "{{sender}} {{reason}}",
                ),
                unit="reqps",
            ),
            graph(
                "Connections and requests in progress",
                "Open connections, and requests whose records Kafka has not acknowledged yet.",
                Query(f"sum(orderflow_http_connections{{@}}) {ELSE_0}", "connections"),
                Query(f"sum(orderflow_http_requests_in_flight{{@}}) {ELSE_0}", "in progress"),
            ),
            graph(
                "Bytes",
                "Bytes of bodies read a second, and bytes that requests in progress hold.",
                Query(
                    f"sum(rate(orderflow_http_body_bytes_total{{@}}[$__rate_interval])) {ELSE_0}",
                    "read a second",
                ),
                Query(f"sum(orderflow_http_body_bytes_held{{@}}) {ELSE_0}", "held"),
                unit="bytes",
            ),
            graph(
                "Records and keys",
                "Records a second that Kafka acknowledged, and keys checked against their hash.",
                Query(
                    "sum by (topic) "
                    f"(rate(orderflow_http_records_total{{@topic}}[$__rate_interval])) {ELSE_0}",
                    "{{topic}}",
                ),
                Query(
                    "sum by (result) "
                    f"(rate(orderflow_http_key_checks_total{{@}}[$__rate_interval])) {ELSE_0}",
                    "keys: {{result}}",
                ),
                unit="cps",
            ),
        ],
        is_open=False,
    )


def deliveries() -> Row:
    """Webhooks and feeds of shops."""
    return Row(
        "Webhooks and feeds of shops",
        [
            graph(
                "Attempts",
                "Attempts to deliver an event a second, by what came of them.",
                Query(
                    "sum by (verdict) "
                    f"(rate(orderflow_webhook_attempts_total{{@}}[$__rate_interval])) {ELSE_0}",
                    "{{verdict}}",
                ),
                unit="cps",
                is_stacked=True,
            ),
            graph(
                "Time of an attempt",
                "Time until the end of the answer: the slowest of a hundred, and half of all.",
                *(
                    Query(
                        f"histogram_quantile({share}, sum by (le) "
                        "(rate(orderflow_webhook_attempt_seconds_bucket{@}[$__rate_interval]))) "
                        f"{ELSE_0}",
                        name,
                    )
                    for share, name in ((0.99, "p99"), (0.5, "p50"))
                ),
                unit="s",
            ),
            graph(
                "Oldest delivery",
                "Age of the oldest event that waits for a receiver.",
                Query(f"max(orderflow_webhook_oldest_age_seconds{{@}}) {ELSE_0}", "any delivery"),
                unit="s",
                limit=Limit(86_400, "OrderflowDeliveriesOld"),
            ),
            graph(
                "Oldest fresh delivery",
                "Age of the oldest event that was not tried yet.",
                Query(f"max(orderflow_webhook_fresh_age_seconds{{@}}) {ELSE_0}", "fresh"),
                unit="s",
                limit=Limit(60, "OrderflowWebhooksNotSent"),
            ),
            graph(
                "Backlog",
                "Deliveries that failed or stand behind one, and orders whose events are held.",
                Query(f"max(orderflow_webhook_backlog{{@}}) {ELSE_0}", "deliveries"),
                Query(f"max(orderflow_webhook_held_groups{{@}}) {ELSE_0}", "orders held"),
                Query(
                    "sum(increase(orderflow_webhook_dropped_total{@}[$__rate_interval])) "
                    f"{ELSE_0}",
                    "dropped: destination removed",
                ),
            ),
            graph(
                "Destinations",
                "Destinations that are disabled, and those that get only a probe now and then.",
                Query(f"max(orderflow_webhook_disabled{{@}}) {ELSE_0}", "disabled"),
                Query(f"max(orderflow_webhook_open_circuits{{@}}) {ELSE_0}", "only probed"),
                limit=Limit(1, "OrderflowDestinationDisabled"),
                span=4,
            ),
            graph(
                "Shards of destinations",
                "Shards to which some process sends; all of them are 16.",
                Query(f"sum(orderflow_webhook_shards{{@}}) {ELSE_0}", "sent to"),
                limit=Limit(16, "OrderflowWebhooksNotSent", is_least=True),
                span=4,
            ),
        ],
        is_open=False,
    )


def campaigns() -> Row:
    """Reviews of orders after a change of campaigns."""
    return Row(
        "Campaigns",
        [
            graph(
                "Reviews",
                "Reviews of orders after a change of campaigns that are not done yet.",
                Query(f"max(orderflow_campaign_reviews{{@}}) {ELSE_0}", "reviews"),
            ),
            graph(
                "Oldest review",
                "Age of the oldest review that is not done yet.",
                Query(f"max(orderflow_campaign_review_age_seconds{{@}}) {ELSE_0}", "oldest"),
                unit="s",
                limit=Limit(3_600, "OrderflowReviewsSlow"),
            ),
            graph(
                "Orders not reviewed",
                "Orders in the last 15 minutes that a review could not decide: a bug.",
                Query(
                    f"sum(increase(orderflow_campaign_review_failures_total{{@}}[15m])) {ELSE_0}",
                    "orders",
                ),
                limit=Limit(1, "OrderflowOrdersNotReviewed"),
            ),
        ],
        is_open=False,
    )


def processes() -> Row:
    """What processes use: connections, memory, CPU, files."""
    each = "{{job}} {{instance}} {{process}}"
    return Row(
        "Processes",
        [
            graph(
                "Connections to Postgres in use",
                "Share of a pool's connections that are in use, of the fullest replica.",
                Query(
                    "max by (service, pool) (max without (state) "
                    '(orderflow_database_connections{@, state="used"}) '
                    "/ orderflow_database_connections_max{@})",
                    "{{service}} {{pool}}",
                ),
                unit="percentunit",
            ),
            graph(
                "Waiting for a connection",
                "Tasks that wait for a connection of a pool; for long: raise DATABASE_POOL_SIZE.",
                Query(
                    "sum by (service, pool) (orderflow_database_waiting{@})",
                    "{{service}} {{pool}}",
                ),
            ),
            graph(
                "Memory",
                "Resident memory of each process; below 150 MB with every mix of the benchmark.",
                Query("process_resident_memory_bytes{@job}", each),
                unit="bytes",
            ),
            graph(
                "CPU",
                "Cores that each process uses; one process uses at most one.",
                Query("rate(process_cpu_seconds_total{@job}[$__rate_interval])", each),
            ),
            graph(
                "Open files",
                "Share of the files that a process may open.",
                Query("process_open_fds{@job} / process_max_fds{@job}", each),
                unit="percentunit",
            ),
            graph(
                "Targets",
                "Replicas that answer Prometheus, and those that do not.",
                Query("sum(up{@job})", "answer"),
                Query("sum(1 - up{@job})", "do not answer"),
            ),
            graph(
                "Spans of traces",
                "Spans a second, by what came of them; none while tracing is off.",
                Query(
                    "sum by (result) "
                    f"(rate(orderflow_trace_spans_total{{@}}[$__rate_interval])) {ELSE_0}",
                    "{{result}}",
                ),
                unit="cps",
            ),
        ],
        is_open=False,
    )
