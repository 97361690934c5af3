"""Gauges of a pool of connections to Postgres, read when the metrics are asked for."""

from __future__ import annotations

from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.connections import Pool


def watch_pool(metrics: Metrics, service: str, name: str, pool: Pool) -> None:
    """Show a pool of a service under a name: `batches`, or `shared` for all other work.

    A pool that is watched later under the same names takes the place of this one.
    """
    metrics.database_connections_max.labels(service, name).set(pool.get_max_size())
    metrics.database_waiting.labels(service, name).set_function(lambda: pool.waiting)
    connections = metrics.database_connections
    connections.labels(service, name, "idle").set_function(pool.get_idle_size)
    used = connections.labels(service, name, "used")
    used.set_function(lambda: pool.get_size() - pool.get_idle_size())
