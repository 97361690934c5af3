"""The Helm chart: rendered with every combination of values that docs/kubernetes.md names."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from services import registry
from services.runtime.config.environment import variable
from services.runtime.config.settings import Settings
from tests.operations.chart import (
    CHART,
    OLDEST,
    Choice,
    HelmRefused,
    combinations,
    merged,
    options,
    render,
    rows,
    split,
    values_in,
)
from tests.operations.manifests import Object, problems
from tests.operations.pods import Pod, environment, mount, pods, selects
from tools.chart.__main__ import MANIFESTS, manifests
from tools.chart.variables import variables

pytestmark = pytest.mark.timeout(900)
LOGINS = [choice.name for choice in options()[0]]
SECRET_NAMES = {each.name for each in variables() if each.kind == "secret"}
ALONE = [(row[0], values_in(row[1])) for row in rows("alone")]


@functools.cache
def parsed(text: str) -> Object:
    """One object of what helm rendered; the same text is parsed once."""
    document: Object = yaml.load(text, yaml.CSafeLoader)
    return document


@functools.cache
def problems_of(text: str) -> tuple[str, ...]:
    """What the schemas refuse of an object; the same text is checked once."""
    return tuple(problems(parsed(text)))


def of_one_login(login: str) -> list[tuple[Choice, ...]]:
    """The combinations with one choice of the first option."""
    return [each for each in combinations() if each[0].name == login]


@pytest.mark.parametrize("file", ["trial.yaml", "production.yaml"])
def test_chart_passes_lint(file: str) -> None:
    linted = subprocess.run(
        [
            "helm",
            "lint",
            "--strict",
            "--kube-version",
            OLDEST,
            CHART,
            "--values",
            CHART / "ci" / file,
        ],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "[WARNING]" not in linted.stdout


@pytest.mark.parametrize("login", LOGINS)
def test_chart_combinations_are_valid_and_keep_what_the_page_says(
    login: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = of_one_login(login)
    with ThreadPoolExecutor(2) as threads:
        rendered = list(threads.map(functools.partial(_render, tmp_path), enumerate(chosen)))

    assert len(chosen) == len(combinations()) // len(LOGINS)
    checked: set[str] = set()
    for combination, texts in zip(chosen, rendered, strict=True):
        name = ", ".join(choice.name for choice in combination)
        values = merged(*(choice.values for choice in combination))
        refused = [(name, problems_of(text)) for text in texts if problems_of(text)]
        assert refused == []
        objects = [parsed(text) for text in texts]
        check_objects(objects, values)
        for pod in pods(objects):
            given = json.dumps([pod.container["env"], pod.spec["volumes"]])
            if given not in checked:
                checked.add(given)
                check_environment(pod, tmp_path / str(len(checked)), values, monkeypatch)


def _render(folder: Path, numbered: tuple[int, tuple[Choice, ...]]) -> list[str]:
    number, combination = numbered
    own = folder / f"values-{number}"
    own.mkdir()
    return split(render(merged(*(choice.values for choice in combination)), own))


@pytest.mark.parametrize(("option", "values"), ALONE, ids=[option for option, _ in ALONE])
@pytest.mark.parametrize("others", ["first", "last"])
def test_chart_option_is_valid_with_other_choices(
    option: str,
    values: Mapping[str, Any],
    others: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = {"first": 0, "last": -1}[others]
    below = merged(*(choices[place].values for choices in options()))
    combined = merged(below, values)

    texts = split(render(combined, tmp_path))

    assert [problems_of(text) for text in texts if problems_of(text)] == []
    objects = [parsed(text) for text in texts]
    check_objects(objects, combined)
    for number, pod in enumerate(pods(objects)):
        check_environment(pod, tmp_path / str(number), combined, monkeypatch)


@pytest.mark.parametrize(("values", "sentence"), [tuple(row) for row in rows("refused")])
def test_chart_refuses_values_with_the_sentence_of_the_page(
    values: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(HelmRefused) as refused:
        render(values_in(values), tmp_path)
    assert sentence in str(refused.value)


def test_chart_refused_values_are_alone_at_fault(tmp_path: Path) -> None:
    assert split(render({}, tmp_path))


def test_chart_reports_all_problems_at_once(tmp_path: Path) -> None:
    with pytest.raises(HelmRefused) as refused:
        render({"defaults": {"replicas": 9}, "settings": {"HTTP_HOST": "x"}}, tmp_path)
    for name in ("orders", "claims", "analytics", "deliveries"):
        assert f"services.{name}.replicas is 9" in str(refused.value)
    assert "settings.HTTP_HOST cannot be set" in str(refused.value)


def test_chart_jobs_are_made_again_when_what_they_run_changes(tmp_path: Path) -> None:
    def jobs(values: Mapping[str, Any]) -> set[str]:
        objects = map(parsed, split(render(values, tmp_path)))
        return {each["metadata"]["name"] for each in objects if each["kind"] == "Job"}

    before = jobs({})
    unchanged = {"services": {"orders": {"replicas": 3}}, "migrate": {"backoffLimit": 3}}
    assert jobs(unchanged) == before
    for change in (
        {"image": {"tag": "2"}},
        {"settings": {"KAFKA_BOOTSTRAP_SERVERS": "b:9092", "DATABASE_POOL_SIZE": 5}},
        {"commonLabels": {"team": "orders"}},
        {
            "migrate": {"resources": {"limits": {"memory": "1Gi"}}},
            "topics": {"arguments": ["--json"]},
        },
        {"migrate": {"arguments": ["--rate", "5"]}, "topics": {"settings": {"LOG_LEVEL": "DEBUG"}}},
    ):
        assert len(jobs(change) & before) == 0, change


def test_chart_rules_and_dashboards_are_those_of_the_repository(tmp_path: Path) -> None:
    monitoring = {"rules": {"enabled": True}, "dashboards": {"enabled": True}}
    objects = [parsed(text) for text in split(render({"monitoring": monitoring}, tmp_path))]

    rules = [each["spec"] for each in objects if each["kind"] == "PrometheusRule"]
    boards = [each["data"] for each in objects if each["kind"] == "ConfigMap"]

    deploy = CHART.parents[1]
    files = sorted((deploy / "prometheus").glob("*.rules.yaml"))
    assert rules == [yaml.safe_load(file.read_text("utf-8")) for file in files]
    assert len(rules) > 0
    drawn = sorted((deploy / "grafana").glob("*.json"))
    assert boards == [{file.name: file.read_text("utf-8").rstrip("\n")} for file in drawn]


def test_chart_manifests_of_production_are_those_in_the_repository() -> None:
    assert MANIFESTS.read_text("utf-8") == manifests(), "run python -m tools.chart --manifests"


def test_chart_environment_of_production_is_what_the_program_shows(tmp_path: Path) -> None:
    (orders,) = [pod for pod in pods(map(parsed, split(manifests()))) if pod.name == "orders"]
    mount(orders, tmp_path)

    shown = subprocess.run(
        [Path(sys.executable).with_name("orderflow"), "settings", "--json"],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], **environment(orders, tmp_path)},
        text=True,
        timeout=60,
    )

    assert shown.returncode == 0, shown.stderr
    settings = json.loads(shown.stdout)
    assert settings["KAFKA_SASL_USERNAME"] == {"value": "orderflow-orders", "from": "environment"}
    assert settings["KAFKA_SASL_PASSWORD"] == {"value": "********", "from": "file"}
    assert settings["ORDERS_DATABASE_URL"]["from"] == "file"
    assert settings["DATABASE_URL"]["from"] == "default"


def test_schemas_refuse_fields_that_do_not_exist() -> None:
    """The checks above can fail: strict schemas see a typo at any depth."""
    texts = split(manifests())
    for kind in ("Deployment", "ScaledObject", "PodMonitor", "NetworkPolicy"):
        document = next(parsed(text) for text in texts if f"\nkind: {kind}\n" in text)
        wrong = json.loads(json.dumps(document))
        wrong["spec"]["replicaz"] = 2
        assert problems(document) == []
        assert any("replicaz" in each for each in problems(wrong)), kind


def check_objects(objects: list[Object], values: Mapping[str, Any]) -> None:
    """What an operator reads in the objects of one release."""
    found = pods(objects)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names)
    assert {pod.name for pod in found if pod.runs_always} == _enabled(values)
    for pod in found:
        check_security(pod)
        check_secrets(pod)
        if pod.runs_always:
            check_service(pod)
    check_selectors(objects, found)
    check_scaling(objects, values)
    check_network(objects, found, values)


def _enabled(values: Mapping[str, Any]) -> set[str]:
    services = values.get("services", {})
    return {name for name in registry.names() if services.get(name, {}).get("enabled", True)}


def check_security(pod: Pod) -> None:
    """Non-root, read-only, no privilege, no token."""
    spec, container = pod.spec, pod.container
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    writable = [each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")]
    assert writable == ["/tmp"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()


def check_secrets(pod: Pod) -> None:
    """No secret stands in the manifest, and each pod has only those of its service."""
    names = [each["name"] for each in pod.container["env"]]
    assert len(set(names)) == len(names)
    for each in pod.container["env"]:
        if each["name"] in SECRET_NAMES:
            assert "secretKeyRef" in each["valueFrom"], each
    given = {name.removesuffix("_FILE") for name in names} & SECRET_NAMES
    logins = {name for name in given if "DATABASE_" in name}
    if pod.name == "topics":
        assert logins == set()
    elif pod.name == "migrate":
        assert "DATABASE_URL" in logins
        assert all(name.endswith(("_DATABASE_PASSWORD", "DATABASE_URL")) for name in logins)
    else:
        assert len(logins) == 1
        assert logins <= {"DATABASE_URL", f"{pod.name.upper()}_DATABASE_URL"}
    assert ("ORDERFLOW_DELIVERIES_KEY" in given) <= (pod.name == "deliveries")


def check_service(pod: Pod) -> None:
    """Probes, ports, grace period above the drain, labels of selector and template."""
    container = pod.container
    assert pod.workload["spec"]["selector"]["matchLabels"].items() <= pod.labels.items()
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert set(ports) == ({"health", "http"} if pod.name == "gateway" else {"health"})
    paths = {"startup": "live", "liveness": "live", "readiness": "ready"}
    for probe, path in paths.items():
        assert container[f"{probe}Probe"]["httpGet"] == {
            "path": f"/health/{path}",
            "port": "health",
        }
    own = {each["name"]: each.get("value") for each in container["env"]}
    assert int(own["HTTP_PORT"]) == ports["health"]
    drain = float(own.get("ORDERFLOW_DRAIN_TIMEOUT_SECONDS") or 20)
    processes = int(container["args"][-1]) if "--processes" in container["args"] else 1
    waits = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    least = drain + waits + (5 if processes > 1 else 0)
    assert pod.spec["terminationGracePeriodSeconds"] > least
    assert container["args"][:2] == ["serve", pod.name]
    is_static = "KAFKA_GROUP_INSTANCE_ID" in own
    assert is_static == (pod.workload["kind"] == "StatefulSet")


def check_selectors(objects: Iterable[Object], found: list[Pod]) -> None:
    """Services, budgets and monitors select pods, and budgets those of one service."""
    for each in objects:
        if each["kind"] == "Service":
            chosen = [
                pod
                for pod in found
                if selects({"matchLabels": each["spec"]["selector"]}, pod.labels)
            ]
            serving = [pod for pod in chosen if pod.runs_always]
            assert serving, each["metadata"]["name"]
            (port,) = each["spec"]["ports"]
            for pod in serving:
                assert port["targetPort"] in [at["name"] for at in pod.container["ports"]]
        if each["kind"] == "PodDisruptionBudget":
            (pod,) = [pod for pod in found if selects(each["spec"]["selector"], pod.labels)]
            pods_of = pod.workload["spec"].get("replicas", 2)
            assert each["spec"].get("minAvailable", 0) < pods_of
            assert each["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        if each["kind"] == "PodMonitor":
            job = {pod.labels[each["spec"]["jobLabel"]] for pod in found}
            assert job == {"orderflow"}  # As the rules of alerts expect it.
            assert all(selects(each["spec"]["selector"], pod.labels) for pod in found)


def check_scaling(objects: list[Object], values: Mapping[str, Any]) -> None:
    """ScaledObjects stay within the partitions, and their workloads leave the number to them."""
    workloads = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    partitions = values.get("settings", {}).get("KAFKA_PARTITIONS", 6)
    scaled = [each for each in objects if each["kind"] == "ScaledObject"]
    enabled = values.get("defaults", {}).get("keda", {}).get("enabled", False)
    consumers = set(registry.consumers()) & _enabled(values)
    assert len(scaled) == (len(consumers) if enabled else 0)
    for each in scaled:
        spec = each["spec"]
        target = workloads[spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]]
        assert "replicas" not in target["spec"]
        arguments = Pod(target).container["args"]
        processes = int(arguments[-1]) if "--processes" in arguments else 1
        assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"]
        assert spec["maxReplicaCount"] * processes <= partitions
        check_triggers(spec["triggers"], Pod(target), workloads)


def check_triggers(
    triggers: list[Object], pod: Pod, objects: Mapping[tuple[str, str], Object]
) -> None:
    """A trigger for each topic, which logs in as the service does and scales by real lag alone."""
    own = {each["name"]: each.get("value") for each in pod.container["env"]}
    prefix = own.get("KAFKA_TOPIC_PREFIX") or ""
    for each in triggers:
        metadata = each["metadata"]
        assert metadata["consumerGroup"] == f"{prefix}orderflow.{pod.name}"
        assert metadata["topic"].startswith(prefix)
        assert metadata["bootstrapServers"] == own["KAFKA_BOOTSTRAP_SERVERS"]
        assert metadata["excludePersistentLag"] == "true"
        assert metadata["allowIdleConsumers"] == "false"
        assert each["useCachedMetrics"] is True
        protocol = own.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
        name = each.get("authenticationRef", {}).get("name")
        assert (protocol != "PLAINTEXT") <= (name is not None)
        if name and name != "kafka-login":
            made = objects["TriggerAuthentication", name]["spec"]
            targets = made.get("secretTargetRef", []) + made.get("configMapTargetRef", [])
            parameters = {at["parameter"] for at in targets}
            wanted = {"ca"} if protocol.endswith("SSL") else set()
            wanted |= {"password"} if protocol.startswith("SASL") else set()
            wanted |= {"cert", "key", "keyPassword"} if "KAFKA_SSL_CERTFILE" in own else set()
            assert parameters == wanted


def check_network(objects: list[Object], found: list[Pod], values: Mapping[str, Any]) -> None:
    """Nothing in or out but to Kafka, Postgres and names; the gateway in, deliveries out."""
    policies = [each["spec"] for each in objects if each["kind"] == "NetworkPolicy"]
    if not values.get("networkPolicy", {}).get("enabled", True):
        assert policies == []
        return
    denies = [each for each in policies if not {"ingress", "egress"} & each.keys()]
    assert len(denies) == 1
    assert denies[0]["policyTypes"] == ["Ingress", "Egress"]
    for pod in found:
        chosen = [each for each in policies if selects(each["podSelector"], pod.labels)]
        assert denies[0] in chosen
        opened = set(_ports(chosen, "egress"))
        incoming = set(_ports(chosen, "ingress"))
        kafka = set(values.get("networkPolicy", {}).get("kafka", {}).get("ports", [9092]))
        assert 53 in opened
        assert (kafka <= opened) == (pod.name != "migrate")
        assert (5432 in opened) == (pod.name != "topics")
        assert bool({8443, 9443} & opened) == (pod.name == "deliveries")
        assert incoming == ({8080, 8081} if pod.name == "gateway" else {8080})


def _ports(policies: Iterable[Mapping[str, Any]], direction: str) -> Iterator[int]:
    for policy in policies:
        for rule in policy.get(direction, []):
            yield from (port["port"] for port in rule["ports"])


def check_environment(
    pod: Pod, root: Path, values: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code takes the environment of the pod, with the values that were given."""
    mount(pod, root)
    with monkeypatch.context() as patch:
        for name in list(os.environ):
            patch.delenv(name)
        for name, value in environment(pod, root).items():
            patch.setenv(name, value)
        settings = Settings.from_environment()
    fields = {variable(name, field): name for name, field in Settings.model_fields.items()}
    own = values.get("services", {}).get(pod.name, {}).get("settings", {})
    for name, value in (merged(values.get("settings", {}), own) if pod.runs_always else {}).items():
        if not name.startswith(
            ("ORDERFLOW_ORDERS_", "ORDERFLOW_DELIVERIES_", "ORDERFLOW_GATEWAY_")
        ):
            assert getattr(settings, fields[name]) == value, name
    for name in fields.values():
        path = getattr(settings, name)
        if isinstance(path, Path):
            assert path.exists(), f"{pod.name}: {name} is {path}"
    if pod.runs_always:
        settings.database_url_of(pod.name)
