"""Kafka and Postgres of one folder, as child processes that end with this process."""

import atexit
import fcntl
import os
from pathlib import Path
from typing import IO

from deploy.stack import jars, java
from deploy.stack.addresses import Addresses, Stack
from deploy.stack.errors import AlreadyRunning
from deploy.stack.kafka import Kafka
from deploy.stack.listeners import Entrances
from deploy.stack.machine import Needs, check_disk, check_memory
from deploy.stack.postgres import Postgres
from deploy.stack.progress import Silent, StepDisplay


class LocalStack(Stack):
    """The embedded Kafka and Postgres. Their data stay in `folder` for the next start.

    Both end with `stop`, with the `with` block, at exit, and on Linux when this process is killed.
    `kafka` and `postgres` can be killed and started again one by one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kafka_port: int | None = None,
        postgres_port: int | None = None,
        needs: Needs | None = None,
        cache: Path | None = None,
        detached: bool = False,
        entrances: Entrances | None = None,
    ) -> None:
        self._folder = folder
        self._kafka_port = kafka_port
        self._detached = detached
        self._entrances = entrances
        self._needs = needs or Needs()
        self._cache = cache or jars.cache_folder()
        self._lock: IO[str] | None = None
        self._kafka: Kafka | None = None
        self.postgres = Postgres(folder / "postgres", port=postgres_port, detached=detached)

    @property
    def folder(self) -> Path:
        """Where the servers keep their data and logs."""
        return self._folder

    @property
    def kafka(self) -> Kafka:
        """The broker. Raises RuntimeError before the first `start`."""
        if self._kafka is None:
            raise RuntimeError("start the stack first")
        return self._kafka

    def start(self, progress: StepDisplay | None = None) -> Addresses:
        """Start what does not run yet and wait until both serve.

        Raises one of the subclasses of StackError, after stopping what it had started.
        """
        display = progress or Silent()
        self._take_folder()
        atexit.register(self._stop_at_exit)
        try:
            check_disk(self._folder, self._needs.disk_bytes)
            if self.postgres.pid is None:
                check_memory(self._needs.memory_bytes)
            self._prepare_kafka(display)
            with display.step("Starting PostgreSQL 18"):
                self.postgres.start()
            with display.step(f"Starting Apache Kafka {jars.KAFKA_VERSION}"):
                self.kafka.start()
        except BaseException:
            self.stop()
            raise
        return self.addresses

    @property
    def addresses(self) -> Addresses:
        """The addresses of both, once started; a restart keeps them."""
        return Addresses(self.kafka.bootstrap_servers, self.postgres.url)

    def stop(self) -> None:
        """End both in an orderly way; nothing happens when they do not run."""
        try:
            if self._kafka is not None:
                self._kafka.stop()
        finally:
            try:
                self.postgres.stop()
            finally:
                self._leave_folder()
                atexit.unregister(self._stop_at_exit)

    def release(self) -> None:
        """Let detached servers run on after this process."""
        self._leave_folder()
        atexit.unregister(self._stop_at_exit)

    def _prepare_kafka(self, display: StepDisplay) -> None:
        if self._kafka is None:
            self._kafka = Kafka(
                self._folder / "kafka",
                java=java.find(),
                jars=jars.fetch(self._cache, display),
                port=self._kafka_port,
                detached=self._detached,
                entrances=self._entrances,
            )

    def _stop_at_exit(self) -> None:
        self.stop()

    def _take_folder(self) -> None:
        if self._lock is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = (self._folder / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyRunning(
                f"another process runs a stack in {self._folder}: stop it (make down), or use "
                "another folder"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _leave_folder(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
