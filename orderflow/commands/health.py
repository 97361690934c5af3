"""`orderflow health`: ask the process on HTTP_PORT; for a container's HEALTHCHECK."""

import http.client
from contextlib import closing
from typing import Annotated

import orjson
import typer

from orderflow.console.environment import load_settings
from orderflow.console.numbers import PORT_MAX
from orderflow.console.terminal import CommandError, Json, out, print_json

_TIMEOUT_SECONDS = 5


def health(
    live: Annotated[bool, typer.Option("--live", help="Ask liveness, not readiness.")] = False,
    host: Annotated[
        str | None, typer.Option(help="Host; 127.0.0.1 unless HTTP_HOST is one.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=PORT_MAX, help="Port; HTTP_PORT when left out.")
    ] = None,
    json: Json = False,
) -> None:
    """Ask a running process whether it is ready; status 0 when it is, 1 when not.

    Example: `orderflow health && echo ready`
    """
    settings = load_settings()
    asked = host or _reachable(settings.http_host)
    port = port or settings.http_port
    status, answer = _get(asked, port, "/health/live" if live else "/health/ready")
    if json:
        print_json(answer)
    for name, check in answer.get("checks", {}).items():
        if not json:
            mark = "ok  " if check["ok"] else "FAIL"
            out.print(f"{mark} {name}: {check['detail']}", markup=False)
    if status != http.client.OK:
        raise typer.Exit(1)


def is_ready(port: int) -> bool:
    """Whether the process on this port of this machine is ready; False where none answers."""
    try:
        with closing(
            http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
        ) as asked:
            asked.request("GET", "/health/ready")
            return asked.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False


def _reachable(host: str) -> str:
    """An address to listen on is not always one to ask: 0.0.0.0 means every one of this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def _get(host: str, port: int, path: str) -> tuple[int, dict[str, dict[str, dict[str, object]]]]:
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)) as server:
            server.request("GET", path)
            response = server.getresponse()
            answer = orjson.loads(response.read())
        if not isinstance(answer, dict):
            raise ValueError("its answer is no health report")  # noqa: TRY004 - a wrong server
        return response.status, answer
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CommandError(
            f"nothing healthy answers on {host}:{port} ({error}): is the service running there? "
            "HTTP_PORT or --port names another port"
        ) from None
