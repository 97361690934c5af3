"""GatewayService: the gateway in a process: its parts, its start and stop, its health checks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Mapping

import structlog

from services.gateway import store
from services.gateway.access.key_ring import KeyRing
from services.gateway.access.rates import Rates
from services.gateway.access.secret_files import read_secrets
from services.gateway.names import SERVICE
from services.gateway.publisher import Publisher
from services.gateway.refusal import unavailable
from services.gateway.web.application import make_app
from services.gateway.web.carriers import CarrierRoute
from services.gateway.web.connections import WebServer, web_config
from services.gateway.web.origins import Origins
from services.gateway.web.pages import PageRoute
from services.gateway.web.requests import Requests
from services.gateway.web.shops import ShopRoute
from services.runtime.background import Startup, Workers, every
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.observability.health import Check, CheckResult
from services.runtime.observability.listener import listen
from services.runtime.observability.metrics import Metrics
from services.runtime.observability.tracing import open_tracing
from services.runtime.pool_gauges import watch_pool
from services.runtime.postgres import migrate
from services.runtime.postgres.connections import Pool, create_pool
from services.runtime.postgres.sessions import check_session

SECRETS_SECONDS = 10.0
LOG_SECONDS = 10.0
POOL_SIZE = 2

log = structlog.get_logger(__name__)


class GatewayService:
    """The gateway; all its state can be read again. `types` are those of senders' forms."""

    def __init__(self, settings: Settings, metrics: Metrics, types: Mapping[str, str]) -> None:
        self.settings = settings
        self.metrics = metrics
        self.publisher = Publisher(settings, metrics)
        self.keys = KeyRing(self._read_keys, settings.gateway_key_cache_seconds, metrics)
        self.web: WebServer | None = None
        self._pool: Pool | None = None
        self._tracing = open_tracing(settings, SERVICE, metrics)
        self._requests = Requests(settings, metrics, self._tracing)
        self._rates = Rates(settings.gateway_requests_per_second)
        clock = clock_of(settings)
        self._shop = ShopRoute(self.keys, self._rates, self.publisher, self._requests, clock)
        self._carrier = CarrierRoute(
            types, self.keys, self._rates, self.publisher, self._requests, clock
        )
        self._page = PageRoute(
            self.keys,
            self._rates,
            self.publisher,
            self._requests,
            clock,
            Origins(settings.gateway_activity_origins),
        )
        self._startup = Startup(SERVICE)
        self._workers = Workers(SERVICE)
        self._has_started = False
        self._is_leaving = False

    async def start(self) -> None:
        """Take requests, and then connect: until then they get 503.

        Raises:
            SettingsError: a secret or the certificate cannot be used.
            HttpError: the port is taken.
        """
        await self._read_secrets()
        self._listen()
        self._workers.start("kafka", self.publisher.run())
        self._pool = await self._open_pool()
        await self._startup.until_up(self.keys.refresh)
        self._start_workers()
        self._has_started = True
        log.info("service_started", service=SERVICE, keys=len(self.keys))

    async def _open_pool(self) -> Pool:
        """A pool of a database that is migrated."""
        pool = await self._startup.until_up(
            functools.partial(create_pool, self.settings, SERVICE, size=POOL_SIZE)
        )
        watch_pool(self.metrics, SERVICE, "shared", pool)
        try:
            await self._startup.until_up(functools.partial(self._check_schema, pool))
        except BaseException:
            pool.terminate()
            raise
        return pool

    def _listen(self) -> None:
        settings = self.settings
        host = settings.gateway_host or settings.http_host
        following = settings.http_port + 1 if settings.http_port else 0
        port = following if settings.gateway_port is None else settings.gateway_port
        app = make_app(self._shop, self._carrier, self._page, self._requests)
        config = web_config(app, settings, self.metrics)
        listener = listen(
            host,
            port,
            setting="ORDERFLOW_GATEWAY",
            is_shared=settings.gateway_port_use == "shared",
        )
        self.web = WebServer(config, listener)
        log.info("gateway_listening", service=SERVICE, port=self.web.port)

    def _start_workers(self) -> None:
        refresh_seconds = self.settings.gateway_key_cache_seconds / 3
        repeated = (
            (refresh_seconds, "refreshing_keys", self.keys.refresh),
            (SECRETS_SECONDS, "reading_secrets", self._read_secrets),
            (LOG_SECONDS, "logging_refused", self._requests.log_refused),
        )
        for seconds, name, work in repeated:
            self._workers.start(name, every(seconds, name, work, service=SERVICE))

    async def _read_keys(self) -> store.Keys:
        if self._pool is None:
            raise unavailable("keys_unavailable", "the database was not reached or migrated yet")
        return await store.read_valid_keys(self._pool)

    async def _read_secrets(self) -> None:
        folder = self.settings.gateway_signature_keys_dir
        found = await asyncio.to_thread(read_secrets, folder, self._carrier.types)
        self._carrier.secrets.clear()
        self._carrier.secrets.update(found)

    async def _check_schema(self, pool: Pool) -> None:
        async with pool.acquire() as connection:
            await migrate.check(connection, SERVICE)
            await check_session(connection, self.settings, SERVICE)

    async def stop(self) -> None:
        """Close the port, finish requests in progress within the drain timeout, and disconnect."""
        if self._is_leaving:
            return
        began, self._is_leaving = time.monotonic(), True
        if self.web:
            # Uvicorn cancels what takes longer than the drain timeout.
            with contextlib.suppress(asyncio.CancelledError):
                await self.web.stop()
        await self._workers.stop()
        await self.publisher.close()
        await self._requests.log_refused()
        if self._pool:
            self._pool.terminate()
        if self._tracing:
            left = self.settings.drain_timeout_seconds - (time.monotonic() - began)
            await self._tracing.close(left)
        log.info("service_stopped", service=SERVICE)

    # Health checks.

    def readiness(self) -> dict[str, Check]:
        """Readiness checks by name."""
        return {
            f"{SERVICE}.requests": self._check_requests,
            f"{SERVICE}.kafka": self.publisher.check,
            f"{SERVICE}.keys": self._check_keys,
        }

    def liveness(self) -> dict[str, Check]:
        """Liveness checks by name: the port is served, and the workers run."""
        return {f"{SERVICE}.serving": self._check_serving}

    async def _check_requests(self) -> CheckResult:
        if self._is_leaving:
            return False, "stopping"
        if self.web is None or not self.web.is_running():
            return False, "the port is not open"
        return True, f"takes requests on port {self.web.port}"

    async def _check_keys(self) -> CheckResult:
        if self.keys.is_fresh():
            return True, f"{len(self.keys)} valid keys"
        return False, self._startup.waiting_for or "the keys were not read lately"

    async def _check_serving(self) -> CheckResult:
        if not self._has_started:
            return True, "starting"
        if self._is_leaving:
            return True, "stopping"
        if self.web is None or not self.web.is_running():
            return False, "the server of the port has ended"
        if ended := self._workers.ended():
            return False, f"ended: {', '.join(ended)}; the log entry worker_failed says why"
        return True, "serves"
