"""Examples of Kafka by Strimzi and Postgres by CloudNativePG, read and tried as far as one can."""

from __future__ import annotations

import re
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from aiokafka.admin import NewTopic

from deploy.stack.postgres import Postgres
from services import registry
from services.runtime.config.settings import Settings
from services.runtime.kafka.topics import admin_client, check
from services.runtime.postgres import migrate
from services.runtime.postgres.sessions import role_of
from tests.operations.chart import PAGE, values_of
from tests.operations.manifests import Object, problems, trigger_parameters
from tools.chart.__main__ import PRODUCTION

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "deploy" / "kubernetes"
STRIMZI = sorted(EXAMPLES.glob("strimzi-*.yaml"))
READER = Path(__file__).parent / "strimzi"
BUILD_CLASS_PATH = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"


def documents(name: str) -> list[Object]:
    """The resources of one example."""
    return list(yaml.safe_load_all((EXAMPLES / name).read_text("utf-8")))


@pytest.fixture(scope="session")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Strimzi's classes and what they need, from Maven."""
    file = tmp_path_factory.mktemp("strimzi") / "class-path"
    command = ["mvn", "--quiet", "--batch-mode", BUILD_CLASS_PATH, f"-Dmdep.outputFile={file}"]
    subprocess.run(command, cwd=READER, check=True, timeout=600)
    return file.read_text("utf-8")


def read_strimzi(class_path: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """What Strimzi's classes say of resources."""
    command = ["java", "-cp", class_path, READER / "ReadStrimzi.java", *files]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)


@pytest.mark.timeout(900)
def test_strimzi_resources_are_read_whole_by_its_own_classes(class_path: str) -> None:
    read = read_strimzi(class_path, *STRIMZI)

    assert read.returncode == 0, read.stderr
    resources = [each for file in STRIMZI for each in documents(file.name)]
    assert read.stdout.splitlines() == [
        f"{each['kind']} {each['metadata']['name']}" for each in resources
    ]
    assert {each["apiVersion"] for each in resources} == {"kafka.strimzi.io/v1"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("patternType: literal", "paternType: literal", "paternType is unknown to Strimzi"),
        ("- Read", "- Raed", "operations/0 is read as null"),
        ("scram-sha-512", "scram-sha-1024", "scram-sha-1024"),
    ],
)
def test_strimzi_classes_refuse_a_typo(
    right: str, wrong: str, said: str, class_path: str, tmp_path: Path
) -> None:
    text = (EXAMPLES / "strimzi-users.yaml").read_text("utf-8")
    assert right in text
    file = tmp_path / "users.yaml"
    file.write_text(text.replace(right, wrong, 1), "utf-8")

    read = read_strimzi(class_path, file)

    assert read.returncode == 1
    assert said in read.stderr


async def test_strimzi_topics_are_those_that_topics_check_wants(
    kafka_bootstrap_servers: str, topic_prefix: str
) -> None:
    """On a broker that got its topics from the example, one partition and replica each."""
    settings = Settings(
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=1,
    )
    made = [_new_topic(topic_prefix, each["spec"]) for each in documents("strimzi-topics.yaml")]
    async with admin_client(settings) as admin:
        answer = await admin.create_topics(made)
    assert {code for _, code, *_ in answer.topic_errors} == {0}, answer

    assert await check(settings) == []


def _new_topic(prefix: str, spec: Object) -> NewTopic:
    configuration = {name: str(value) for name, value in spec["config"].items()}
    configuration["min.insync.replicas"] = "1"
    return NewTopic(prefix + spec["topicName"], 1, 1, topic_configs=configuration)


def test_strimzi_topics_fit_the_values_of_production() -> None:
    settings = yaml.safe_load(PRODUCTION.read_text("utf-8"))["settings"]
    for each in documents("strimzi-topics.yaml"):
        assert each["spec"]["partitions"] == settings["KAFKA_PARTITIONS"]
        assert each["spec"]["replicas"] == settings["KAFKA_REPLICATION_FACTOR"] == 3
        assert each["spec"]["config"]["min.insync.replicas"] == 2


def test_strimzi_listener_and_secrets_are_those_of_the_values_of_production() -> None:
    values = yaml.safe_load(PRODUCTION.read_text("utf-8"))
    _, kafka = documents("strimzi-cluster.yaml")
    (listener,) = kafka["spec"]["kafka"]["listeners"]
    cluster = kafka["metadata"]["name"]
    servers = f"{cluster}-kafka-bootstrap:{listener['port']}"
    assert values["settings"]["KAFKA_BOOTSTRAP_SERVERS"] == servers
    assert values["networkPolicy"]["kafka"]["ports"] == [listener["port"]]
    assert values["files"]["KAFKA_SSL_CAFILE"]["secret"] == f"{cluster}-cluster-ca-cert"
    users = {each["metadata"]["name"] for each in documents("strimzi-users.yaml")}
    for name in registry.names():
        own = values["services"][name]
        user = own["settings"]["KAFKA_SASL_USERNAME"]
        assert user in users
        assert own["secrets"]["KAFKA_SASL_PASSWORD"] == {"name": user, "key": "password"}


def test_cloudnative_pg_resources_fit_its_definitions() -> None:
    resources = documents("cloudnative-pg.yaml")
    assert [each["kind"] for each in resources] == ["Cluster", "Database"]
    assert [problems(each) for each in resources] == [[], []]
    resources[0]["spec"]["postgresql"]["synchronous"]["metod"] = "any"
    assert any("metod" in each for each in problems(resources[0]))


def of_page() -> list[Object]:
    """The objects that docs/kubernetes.md has to copy."""
    return [each for block in _blocks("yaml") for each in yaml.safe_load_all(block)]


def test_page_login_of_keda_for_msk_is_one_that_the_trigger_takes() -> None:
    """Every parameter is one of KEDA's, and has a value that KEDA takes."""
    values, authentication = of_page()
    assert problems(values) == problems(authentication) == []
    name = values_of("msk.yaml")["keda"]["triggerAuthentication"]
    assert authentication["metadata"]["name"] == values["metadata"]["name"] == name
    given = {}
    for target in authentication["spec"]["configMapTargetRef"]:
        assert target["name"] == values["metadata"]["name"]
        given[target["parameter"]] = values["data"][target["key"]]
        places, allowed = trigger_parameters()[target["parameter"]]
        assert "authParams" in places
        assert given[target["parameter"]] in allowed
    assert given == {"sasl": "oauthbearer", "saslTokenProvider": "aws_msk_iam", "tls": "enable"}
    assert authentication["spec"]["podIdentity"] == {"provider": "aws"}


@pytest.mark.parametrize("file", ["production.yaml", "msk.yaml"])
def test_page_addresses_of_postgres_name_the_authority_that_pods_mount(file: str) -> None:
    (mount,) = values_of(file)["mounts"]
    (key,) = mount["keys"]
    assert f"?sslmode=verify-full&sslrootcert={mount['path']}/{key}'" in _commands()


def test_page_commands_make_what_the_values_of_msk_name() -> None:
    values, commands = values_of("msk.yaml"), _commands()
    for name in {each["name"] for each in values["secrets"].values()}:
        assert f"kubectl create secret generic {name} " in commands
    (mount,) = values["mounts"]
    made = f"kubectl create configmap {mount['configMap']} --from-file={mount['keys'][0]}"
    assert made in commands
    keys = {each["key"] for each in values["secrets"].values()}
    of_services = {f"{name}-{what}" for name in registry.names() for what in ("url", "password")}
    assert keys == {"owner-url", "key"} | of_services
    accounts = re.findall(r"for service in ([\w ]+); do\n  aws eks", commands)
    assert [set(each.split()) for each in accounts] == [{*registry.names(), "topics"}]


def _commands() -> str:
    """What docs/kubernetes.md runs in a shell; quotes are all single."""
    return "\n".join(_blocks("sh")).replace('"', "'")


def _blocks(language: str) -> list[str]:
    """The blocks of docs/kubernetes.md in a language; those in lists are indented."""
    pattern = re.compile(rf"^ *```{language}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in pattern.findall(PAGE.read_text("utf-8"))]


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A server without a role of ours: roles are shared by all databases of a server."""
    tmp_path.chmod(0o755)
    server = Postgres(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.mark.stack
async def test_cloudnative_pg_role_may_migrate_and_services_log_in(own_postgres: Postgres) -> None:
    """The login, the database and their rights as the example has them, on a real server."""
    cluster, database = (each["spec"] for each in documents("cloudnative-pg.yaml"))
    (role,) = cluster["managed"]["roles"]
    assert role["name"] == database["owner"]
    await _make(own_postgres.url, role, database)
    names = registry.names()

    await migrate.migrate(
        _address(own_postgres, role["name"], database["name"]), names, dict.fromkeys(names, "p")
    )

    for name in names:
        connection = await asyncpg.connect(_address(own_postgres, role_of(name), database["name"]))
        try:
            await migrate.check(connection, name)
        finally:
            await connection.close()


async def _make(url: str, role: dict[str, Any], database: dict[str, Any]) -> None:
    rights = [right for right in ("login", "createrole", "inherit") if role[right]]
    superuser = await asyncpg.connect(url)
    try:
        await superuser.execute(f"CREATE ROLE \"{role['name']}\" {' '.join(rights)} PASSWORD 'p'")
        await superuser.execute(f'CREATE DATABASE "{database["name"]}" OWNER "{database["owner"]}"')
    finally:
        await superuser.close()


def _address(server: Postgres, login: str, database: str) -> str:
    return f"postgresql://{login}:p@127.0.0.1:{server.port}/{database}"
