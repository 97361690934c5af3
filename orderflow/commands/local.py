"""`orderflow up` and `orderflow down`: the whole system on this machine, left running."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from orderflow.commands.health import is_ready
from orderflow.commands.migrate import change_rows
from orderflow.commands.stack import stack_errors, stop_stack
from orderflow.console.environment import (
    load_settings,
    stack_folder,
    webhook_environment,
)
from orderflow.console.terminal import (
    INTERRUPTED,
    CommandError,
    Json,
    err,
    out,
    print_json,
    run,
)
from services import registry
from services.runtime.config.settings import Settings
from services.runtime.kafka.topics import create
from services.runtime.postgres.migrate import migrate

_SERVICES = "services"
_READY_SECONDS = 60
_LOG_LINES = 15

_FIRST = (
    '{"type":"order.place","value":{"shop_slug":"demo-shop",'
    '"order":{"order_number":"1001","address":{"zip_code":"10115"}}}}'
)
_NEXT = """\
Try next:
  echo '{first}' \\
    | {command} send - --wait
  {command} order demo-shop/1001
  {command} tail orders.events --from beginning
  {command} keys add --shop demo-shop --why 'to try the gateway'
  {command} health{port}
  {command} down"""


def up(json: Json = False) -> None:
    """Start Kafka, Postgres and the services on this machine, and leave them running.

    Also migrates the database and makes the topics. What runs already is left alone. Commands
    without KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL in their environment find this stack.

    Example: `orderflow up && orderflow tail orders.events`
    """
    from deploy import stack

    given = Settings.from_environment()
    if {"kafka_bootstrap_servers", "database_url"} & given.model_fields_set:
        raise CommandError(
            "KAFKA_BOOTSTRAP_SERVERS or DATABASE_URL in the environment name servers: unset them "
            "to use the local stack, or use `orderflow migrate`, `topics create` and `serve`"
        )
    with _undone_by_ctrl_c():
        with stack_errors():
            if _SERVICES not in _alive():  # Before the servers, which would be left running.
                _check_port(given.http_port, "the services", "HTTP_PORT")
                _check_port(_gateway_port(given), "the gateway", "ORDERFLOW_GATEWAY_PORT")
            addresses = stack.up(stack_folder(), stack.Terminal())
        settings = load_settings()
        run(migrate(addresses.database_url, None, settings.database_passwords()))
        run(change_rows(settings, registry.names()))
        run(create(settings))
        _start_services(settings, addresses.environment())
    if json:
        urls = {"HTTP": _url(settings.http_port), "GATEWAY": _url(_gateway_port(settings))}
        print_json(addresses.environment() | urls)
        return
    _welcome(addresses.environment(), settings)


def down(json: Json = False) -> None:
    """Stop the services, Kafka and Postgres of `orderflow up`; data stay in .orderflow.

    Example: `orderflow down`
    """
    stopped = stop_stack()
    if json:
        print_json({"stopped": stopped})
        return
    out.print(f"down: stopped={','.join(stopped) or 'nothing'}", markup=False)


@contextmanager
def _undone_by_ctrl_c() -> Iterator[None]:
    """Ctrl-C stops what this call has started; a stack that ran before is left alone."""
    ran_before = bool(_alive())
    try:
        yield
    except (KeyboardInterrupt, typer.Exit):
        if ran_before:
            err.print("[yellow]interrupted; `orderflow down` stops what runs[/]")
        else:
            stop_stack()
            err.print("[yellow]stopped; nothing is left running[/]")
        raise typer.Exit(INTERRUPTED) from None


def _start_services(settings: Settings, addresses: dict[str, str]) -> None:
    from deploy import stack

    if _SERVICES not in _alive():
        command = [sys.executable, "-m", "orderflow", "serve", "all"]
        environment = addresses | {"HTTP_PORT": str(settings.http_port)}
        environment |= webhook_environment(stack_folder())
        with stack_errors():
            stack.add(_SERVICES, command, environment, stack_folder())
    with stack.Terminal().step("Starting the services"):
        _await_ready(settings.http_port)


def _gateway_port(settings: Settings) -> int:
    chosen = settings.gateway_port
    return settings.http_port + 1 if chosen is None else chosen


def _check_port(port: int, user: str, setting: str) -> None:
    from deploy.stack.machine import check_port

    if port == 0:
        raise CommandError(f"{setting} is 0, any free port: name one, so that it can be asked")
    check_port(port, user, f"set {setting} to a free one")


def _await_ready(port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not is_ready(port):
        if _SERVICES not in _alive() or time.monotonic() > deadline:
            log = stack_folder() / f"{_SERVICES}.log"
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            raise CommandError(
                f"the services are not ready; the end of {log}:\n"
                + "\n".join(lines[-_LOG_LINES:])
                + "\n`orderflow health` says what is missing, `orderflow down` stops everything"
            )
        time.sleep(0.2)


def _alive() -> list[str]:
    """Names of what runs of the local stack."""
    from deploy import stack

    state = stack.status(stack_folder())
    return [one.name for one in state.processes if one.alive] if state else []


def _welcome(addresses: dict[str, str], settings: Settings) -> None:
    url, gateway = _url(settings.http_port), _url(_gateway_port(settings))
    # A later command does not know a port that was given to this one alone.
    port = f" --port {settings.http_port}" if os.environ.get("HTTP_PORT") else ""
    out.print("[bold green]Orderflow runs.[/]")
    for name, value in addresses.items():
        out.print(f"  {name}={value}", markup=False)
    out.print(f"  {url}/health/ready   {url}/metrics", markup=False)
    out.print(f"  {gateway}/openapi.json   the gateway", markup=False)
    out.print(f"  logs in {stack_folder()}/*.log", markup=False)
    out.print(_NEXT.format(first=_FIRST, command=_command(), port=port), markup=False)
    kafka = addresses["KAFKA_BOOTSTRAP_SERVERS"]
    out.print(f"up: kafka={kafka} http={url} gateway={gateway}", markup=False)


def _url(http_port: int) -> str:
    return f"http://127.0.0.1:{http_port}"


def _command() -> str:
    """How this command line is called from here: by name where it is on the PATH."""
    if shutil.which("orderflow"):
        return "orderflow"
    installed = Path(sys.executable).with_name("orderflow")
    if not installed.exists():
        return f"{_near(Path(sys.executable))} -m orderflow"
    return _near(installed)


def _near(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
