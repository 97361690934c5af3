"""What an operator reads in the objects of a release: security, secrets, scaling, network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orderflow.access_rules import read_by
from services import registry
from services.runtime.config.environment import variable
from services.runtime.config.settings import Settings
from tests.operations.chart import merged
from tests.operations.manifests import Object, trigger_parameters
from tests.operations.pods import Pod, environment, mount, pods, selects
from tools.chart.variables import variables

PRIVATE_NETWORKS = {
    "0.0.0.0/0": {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"},
    "::/0": {"fc00::/7", "fe80::/10"},
}
"""By network: what a webhook must not reach in it."""
SECRET_NAMES = {each.name for each in variables() if each.kind == "secret"}
OWNERS = {each.name: each.owner for each in variables()}


def check_objects(objects: list[Object], values: Mapping[str, Any]) -> None:
    """What an operator reads in the objects of one release."""
    found = pods(objects)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names)
    assert {pod.name for pod in found if pod.runs_always} == _enabled(values)
    for pod in found:
        check_security(pod)
        check_secrets(pod, values)
        if pod.runs_always:
            check_service(pod)
    check_selectors(objects, found)
    check_budgets(objects, found, values)
    check_accounts(objects, found)
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


def check_secrets(pod: Pod, values: Mapping[str, Any]) -> None:
    """No secret stands in the manifest, and each pod has only those of its service."""
    names = [each["name"] for each in pod.container["env"]]
    assert len(set(names)) == len(names)
    for each in pod.container["env"]:
        if each["name"] in SECRET_NAMES:
            assert "secretKeyRef" in each["valueFrom"], each
    given = {name.removesuffix("_FILE") for name in names} & SECRET_NAMES
    logins = {name for name in given if "DATABASE_" in name}
    poolers = {name for name in values.get("secrets", {}) if name.endswith("_POOLER_URL")}
    if pod.name == "topics":
        assert logins == set()
    elif pod.name == "migrate":
        assert not any(name.startswith("KAFKA_") for name in names)
        assert "DATABASE_URL" in logins
        passwords = {name for name in logins if name.endswith("_DATABASE_PASSWORD")}
        assert logins == {"DATABASE_URL"} | passwords | poolers
    else:
        direct = logins - {f"{pod.name.upper()}_DATABASE_POOLER_URL"}
        assert len(direct) == 1
        assert direct <= {"DATABASE_URL", f"{pod.name.upper()}_DATABASE_URL"}
        assert logins - direct == poolers & {f"{pod.name.upper()}_DATABASE_POOLER_URL"}
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
    check_spread(pod)


def check_spread(pod: Pod) -> None:
    """Pods of a service are spread over zones and nodes, by a selector of this service alone."""
    spread = pod.spec["topologySpreadConstraints"]
    keys = [each["topologyKey"] for each in spread]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    for each in spread:
        assert selects(each["labelSelector"], pod.labels)
        assert each["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == pod.name
        assert each["maxSkew"] == 1


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


def check_budgets(objects: list[Object], found: list[Pod], values: Mapping[str, Any]) -> None:
    """Each service has one budget of disruptions, unless budgets are off."""
    budgets = [each["spec"] for each in objects if each["kind"] == "PodDisruptionBudget"]
    wanted = values.get("defaults", {}).get("podDisruptionBudget", {}).get("enabled", True)
    for pod in (each for each in found if each.runs_always):
        own = [each for each in budgets if selects(each["selector"], pod.labels)]
        assert len(own) == int(wanted), pod.name


def check_accounts(objects: list[Object], found: list[Pod]) -> None:
    """Each pod has a ServiceAccount of its own, which gives no token."""
    accounts = {
        each["metadata"]["name"]: each for each in objects if each["kind"] == "ServiceAccount"
    }
    names = [pod.spec["serviceAccountName"] for pod in found]
    assert sorted(names) == sorted(accounts)
    assert all(each["automountServiceAccountToken"] is False for each in accounts.values())


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
    topics = [each["metadata"]["topic"] for each in triggers]
    assert topics == [f"{prefix}{topic}" for topic in read_by(pod.name)] != []
    for each in triggers:
        metadata = each["metadata"]
        assert all("triggerMetadata" in trigger_parameters()[name][0] for name in metadata)
        assert metadata["consumerGroup"] == f"{prefix}orderflow.{pod.name}"
        assert metadata["bootstrapServers"] == own["KAFKA_BOOTSTRAP_SERVERS"]
        assert metadata["excludePersistentLag"] == "true"
        assert metadata["allowIdleConsumers"] == "false"
        assert metadata["limitToPartitionsWithLag"] == "true"
        assert metadata["offsetResetPolicy"] == "earliest"
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
        assert (4318 in opened) == ("OTEL_EXPORTER_OTLP_ENDPOINT" in values.get("settings", {}))
        assert incoming == ({8080, 8081} if pod.name == "gateway" else {8080})
        check_webhook_networks(chosen)


def check_webhook_networks(policies: Iterable[Mapping[str, Any]]) -> None:
    """A rule that opens all addresses leaves private and link-local ones out."""
    for policy in policies:
        for rule in policy.get("egress", []):
            blocks = {
                to["ipBlock"]["cidr"]: to["ipBlock"] for to in rule.get("to", []) if "ipBlock" in to
            }
            for everywhere, private in PRIVATE_NETWORKS.items():
                if everywhere in blocks:
                    assert private <= set(blocks[everywhere]["except"])


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
        if OWNERS[name] in (None, pod.name):
            assert getattr(settings, fields[name]) == value, name
    for name in fields.values():
        path = getattr(settings, name)
        if isinstance(path, Path):
            assert path.exists(), f"{pod.name}: {name} is {path}"
    if pod.runs_always:
        settings.database_url_of(pod.name)
