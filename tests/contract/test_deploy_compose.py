"""docker-compose.yml, read: without an engine it cannot be run, but much of it can be checked."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_pydantic import ComposeSpecification
from pydantic import ValidationError

from services import registry
from services.runtime.config.environment import is_secret, variable
from services.runtime.config.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("orderflow")}
LASTING = {name: one for name, one in OURS.items() if one["restart"] != "no"}


def test_compose_file_follows_the_specification() -> None:
    ComposeSpecification.model_validate(_without_extensions(COMPOSE))


def test_compose_specification_refuses_an_unknown_key() -> None:
    wrong = _without_extensions(COMPOSE)
    wrong["services"] = {**SERVICES, "orders": {**SERVICES["orders"], "read_onlly": True}}

    with pytest.raises(ValidationError, match="read_onlly"):
        ComposeSpecification.model_validate(wrong)


def test_compose_file_has_the_whole_system() -> None:
    assert set(SERVICES) == {
        "kafka", "postgres", "migrate", "topics", *registry.names(),
    }  # fmt: skip
    assert set(LASTING) == set(registry.names())


@pytest.mark.parametrize("service", sorted(OURS))
def test_compose_commands_exist(service: str) -> None:
    _help(OURS[service]["command"])


@pytest.mark.parametrize("service", sorted(OURS))
def test_compose_settings_exist_and_secrets_come_from_files(service: str) -> None:
    fields = {variable(name, field): field for name, field in Settings.model_fields.items()}
    mounted = {f"/run/secrets/{name}" for name in OURS[service].get("secrets", [])}

    read = set()
    for name, value in OURS[service]["environment"].items():
        plain = name.removesuffix("_FILE")
        assert plain in fields, f"{name} is no setting"
        assert is_secret(fields[plain]) == name.endswith("_FILE"), f"{name} shows a secret"
        if name.endswith("_FILE"):
            read.add(value)
    assert read == mounted, "every secret that is mounted is read, and no other"


@pytest.mark.parametrize("service", sorted(OURS))
def test_containers_have_only_the_rights_they_need(service: str) -> None:
    one = OURS[service]

    assert one["read_only"] is True
    assert [path.split(":")[0] for path in one["tmpfs"]] == ["/tmp"]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in one
    assert "user" not in one, "the image's own user, who is not root"
    assert "volumes" not in one, "services keep nothing outside Postgres"


@pytest.mark.parametrize("service", sorted(LASTING))
def test_containers_have_time_to_stop(service: str) -> None:
    grace = float(LASTING[service]["stop_grace_period"].removesuffix("s"))
    drain = float(LASTING[service]["environment"]["ORDERFLOW_DRAIN_TIMEOUT_SECONDS"])

    assert grace >= drain + 5


@pytest.mark.parametrize("service", sorted(LASTING))
def test_service_starts_after_its_schema_and_topics_exist(service: str) -> None:
    conditions = {name: one["condition"] for name, one in LASTING[service]["depends_on"].items()}

    assert conditions == {
        "migrate": "service_completed_successfully",
        "topics": "service_completed_successfully",
        "kafka": "service_healthy",
        "postgres": "service_healthy",
    }


@pytest.mark.parametrize("service", ["kafka", "postgres"])
def test_servers_report_readiness_and_keep_their_data(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"]
    assert SERVICES[service]["volumes"]
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_images_are_named_by_version() -> None:
    assert SERVICES["kafka"]["image"] == "apache/kafka:4.1.1"
    assert SERVICES["postgres"]["image"] == "postgres:18"


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for one in SERVICES.values() for port in one.get("ports", [])]

    assert ports == ["127.0.0.1:29092:29092", "127.0.0.1:8081:8081"]


def test_volumes_and_secrets_are_all_declared_and_all_used() -> None:
    volumes = {path.split(":")[0] for one in SERVICES.values() for path in one.get("volumes", [])}
    secrets = {name for one in SERVICES.values() for name in one.get("secrets", [])}

    assert volumes == set(COMPOSE["volumes"])
    assert secrets == set(COMPOSE["secrets"])


def test_secrets_are_created_once_and_are_consistent(tmp_path: Path) -> None:
    script = tmp_path / "deploy" / "secrets.sh"
    script.parent.mkdir()
    script.write_bytes((PROJECT / "deploy" / "secrets.sh").read_bytes())

    subprocess.run(["bash", script], check=True, capture_output=True)

    folder = tmp_path / "deploy" / "secrets"
    made = {path.name: path.read_text("ascii") for path in folder.iterdir()}
    declared = {name: tmp_path / one["file"] for name, one in COMPOSE["secrets"].items()}
    assert {folder / name for name in made} == set(declared.values())
    assert f":{made['postgres_password']}@" in made["database_url"]
    for service in registry.names():
        password = made[f"{service}_database_password"]
        assert len(password) == 48
        assert f"//orderflow_{service}:{password}@" in made[f"{service}_database_url"]
    assert folder.stat().st_mode & 0o077 == 0, "the folder is closed to others"
    subprocess.run(["bash", script], check=True, capture_output=True)
    again = {path.name: path.read_text("ascii") for path in folder.iterdir()}
    assert again == made, "a second run changes no password that a database already has"


def _without_extensions(compose: dict[str, Any]) -> dict[str, Any]:
    """The specification allows `x-…` at the top; its models do not know that."""
    return {name: value for name, value in compose.items() if not name.startswith("x-")}


def _help(command: list[str]) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "orderflow", *command, "--help"],
        cwd=PROJECT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    assert "Usage" in answer.stdout
