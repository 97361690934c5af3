"""docker-compose.yml played from the image: order of start, health, an order, order of stop."""

import json
import math
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from services import registry
from tests.operations.image.conftest import BUILD_SECONDS, BuiltImage
from tools.container import compose
from tools.container.compose import ComposeError
from tools.container.play import Play

pytestmark = [pytest.mark.timeout(BUILD_SECONDS), pytest.mark.stack]
PROJECT = Path(__file__).resolve().parents[3]
UP_SECONDS = 240
ORDER = {
    "shop_slug": "demo-shop",
    "order": {"order_number": "2001", "address": {"zip_code": "10115"}},
}
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the compose file and the secrets that its script makes."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(PROJECT / "docker-compose.yml", tmp_path)
    script = Path(shutil.copy(PROJECT / "deploy" / "secrets.sh", tmp_path / "deploy"))
    subprocess.run([script], check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def played(image: BuiltImage, folder: Path) -> Iterator[Play]:
    """The file, played until everything is healthy."""
    with _play(image, folder) as play:
        play.up(UP_SECONDS)
        yield play


def test_compose_file_played_starts_serves_and_stops_in_order(played: Play) -> None:
    assert _misplaced_starts(played, registry.names()) == []
    assert len(played.containers["orders"]) == 2

    said = played.run("migrate", "keys", "add", "--shop", "demo-shop", "--why", "a test", "--json")
    accepted = _post_order(played.published["gateway", 8081], json.loads(said)["key"])
    orders = played.containers["orders"][0]
    event = orders.execute(
        "orderflow", "tail", "orders.events", "--from", "beginning", "--max", "1", "--json",
        seconds=60,
    )  # fmt: skip
    played.down()

    assert accepted["records"][0]["topic"] == "orders.commands"
    assert '"order_number":"2001"' in event.stdout.replace(" ", ""), event.stderr
    stops = [event for event in played.events if event.what == "stopped"]
    assert sorted(event.service for event in stops) == sorted([*registry.names(), "orders"])
    assert [event for event in stops if not event.detail.startswith("status 0 ")] == []


def test_player_finds_a_service_that_does_not_wait_for_the_schema(
    image: BuiltImage, folder: Path
) -> None:
    """Without its dependency it starts before the migration is done, and waits by itself."""

    def remove(file: dict[str, Any]) -> None:
        for name in {*registry.names()} - {"analytics"}:
            del file["services"][name]
        del file["services"]["analytics"]["depends_on"]["migrate"]

    _change(folder, remove)
    with _play(image, folder) as play:
        play.up(UP_SECONDS)

        assert "analytics before migrate completed" in _misplaced_starts(play, ["analytics"])


def test_player_fails_where_a_secret_has_another_name_than_the_setting(
    image: BuiltImage, folder: Path
) -> None:
    def rename(file: dict[str, Any]) -> None:
        for name in registry.names():
            del file["services"][name]
        environment = file["services"]["migrate"]["environment"]
        environment["DATABASE_URL_FILE"] = "/run/secrets/database_uri"

    _change(folder, rename)
    with _play(image, folder) as play, pytest.raises(ComposeError) as raised:
        play.up(UP_SECONDS)

    assert "migrate-1 ended with status" in str(raised.value)
    assert "/run/secrets/database_uri" in str(raised.value)


def test_player_fails_where_a_password_is_wrong(image: BuiltImage, folder: Path) -> None:
    url = folder / "deploy" / "secrets" / "database_url"
    url.chmod(0o644)
    url.write_text("postgresql://postgres:wrong@postgres:5432/orderflow", "ascii")

    def keep_migrate(file: dict[str, Any]) -> None:
        for name in registry.names():
            del file["services"][name]

    _change(folder, keep_migrate)
    with _play(image, folder) as play, pytest.raises(ComposeError) as raised:
        play.up(UP_SECONDS)

    assert "migrate-1 ended with status" in str(raised.value)
    assert "password" in str(raised.value)


def _orders(file: dict[str, Any]) -> dict[str, Any]:
    orders: dict[str, Any] = file["services"]["orders"]
    return orders


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: _orders(f).update(priviledged=True), "orders: the player does not honour"),
        (lambda f: _orders(f).update(read_only=False), "orders: read_only is False"),
        (
            lambda f: _orders(f).update(secrets=["orders_url"]),
            "the secret orders_url is not declar",
        ),
        (lambda f: f["services"].pop("topics"), "depends on topics, which is no service"),
        (
            lambda f: _orders(f)["depends_on"]["kafka"].update(condition="healthy"),
            "orders: healthy is no condition of depends_on",
        ),
        (
            lambda f: _orders(f)["depends_on"]["migrate"].update(condition="service_healthy"),
            "orders: migrate has no health check to wait for",
        ),
        (lambda f: _orders(f).update(stop_grace_period="soon"), "soon: durations are read as"),
        (lambda f: _orders(f).update(ports=["8080:8080"]), "is not published on 127.0.0.1"),
    ],
    ids=["key", "writable", "secret", "service", "condition", "health", "duration", "port"],
)
def test_player_refuses_a_file_that_it_cannot_play(
    folder: Path, change: Change, message: str
) -> None:
    _change(folder, change)

    with pytest.raises(ComposeError, match=re.escape(message)):
        compose.read(folder / "docker-compose.yml")


def test_player_refuses_a_file_without_its_secrets(folder: Path) -> None:
    (folder / "deploy" / "secrets" / "deliveries_key").unlink()

    with pytest.raises(ComposeError, match=r"deliveries: the file .* is not there: deploy/secrets"):
        compose.read(folder / "docker-compose.yml")


def _play(image: BuiltImage, folder: Path) -> Play:
    file = folder / "docker-compose.yml"
    return Play(file, image.root, image.config, folder / "play", free_ports=True)


def _misplaced_starts(play: Play, services: list[str]) -> list[str]:
    """Services that started before the schema, the topics or the servers were there."""
    at = {(event.service, event.what): event.seconds for event in play.events}
    needed = [
        ("kafka", "healthy"), ("postgres", "healthy"),
        ("topics", "completed"), ("migrate", "completed"),
    ]  # fmt: skip
    return [
        f"{service} before {name} {what}"
        for service in services
        for name, what in needed
        if at[service, "started"] < at.get((name, what), math.inf)
    ]


def _change(folder: Path, change: Change) -> None:
    file = folder / "docker-compose.yml"
    content = yaml.safe_load(file.read_text("utf-8"))
    # Anchors of the file are one object here; a change is for one service.
    content = json.loads(json.dumps(content))
    change(content)
    file.write_text(yaml.safe_dump(content), "utf-8")


def _post_order(port: int, key: str) -> Mapping[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/shops/demo-shop/commands",
        data=json.dumps(ORDER).encode(),
        headers={
            "Authorization": f"Bearer {key}", "Content-Type": "application/json",
            "ce-type": "order.place", "ce-id": "place-2001",
        },
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202
        body: Mapping[str, Any] = json.loads(answer.read())
        return body
