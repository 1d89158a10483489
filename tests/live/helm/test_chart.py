"""The chart: what Helm makes of it is what Kubernetes takes, and no pod may more than it needs.

Rendered by Helm's own Go library, without a cluster: that Kubernetes starts it is not shown here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "drift"
(EXAMPLE,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "how-to" / "kubernetes.md").read_text(), re.DOTALL)
LEAST: dict[str, Any] = {"image": {"repository": "registry.example/drift"}}
MOST: dict[str, Any] = {
    "image": {"repository": "registry.example/drift", "tag": "1"},
    "imagePullSecrets": [{"name": "registry"}],
    "monitors": {"files": {"orders.yaml": "name: orders\n"}},
    "schedules": {"orders": "15 6 * * *", "Orders": "@daily", "x" * 100: "@hourly"},
    "timeZone": "America/New_York",
    "env": [{"name": "DRIFT_DASHBOARD_URL", "value": "https://drift.example"}],
    "envFrom": [{"secretRef": {"name": "drift-routes"}}],
    "migrate": {"roles": False},
    "dashboard": {
        "replicas": 2,
        "readToken": {"secret": "drift-dashboard"},
        "ingress": {"enabled": True, "host": "drift.example", "tlsSecret": "drift-tls", "className": "nginx",
                    "annotations": {"a": "b"}},
    },
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "batch", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}  # fmt: skip


def run(values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Render the chart in the environment that has Helm."""
    command = [os.environ["DRIFT_HELM"], str(Path(__file__).parent / "render.py"), str(CHART)]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)


def rendered(values: dict[str, Any]) -> dict[str, Any]:
    """What Helm would install, checked against the schemas of the oldest and the newest Kubernetes that we have."""
    done = run(values)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pods(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The specification of each pod, by the name of what makes it."""
    specs = {}
    for each in found["objects"]:
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if each["kind"] in {"Deployment", "Job", "CronJob"}:
            specs[each["metadata"]["name"]] = spec["template"]["spec"]
    return specs


@pytest.fixture(scope="module", params=["least", "most", "document"])
def found(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The chart with the least that it needs, with all that it takes, and as the document shows it."""
    shown = yaml.safe_load(textwrap.dedent(EXAMPLE))
    return rendered({"least": LEAST, "most": MOST, "document": shown}[request.param])


def test_no_pod_may_more_than_it_needs(found: dict[str, Any]) -> None:
    """No root, no rights, no writing but /tmp, no token of the cluster, no secret in the open."""
    for pod in pods(found).values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"] == {
            "runAsNonRoot": True, "runAsUser": 50000, "runAsGroup": 50000, "seccompProfile": {"type": "RuntimeDefault"}
        }  # fmt: skip
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
            }  # fmt: skip
            assert re.fullmatch(r"registry\.example(\.com)?/drift:[\d.]+", container["image"])
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes.keys()
            assert [m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")] == ["/tmp"]  # noqa: S108
            names = [each["name"] for each in container["env"]]
            assert len(set(names)) == len(names)
            secrets = {each["name"] for each in container["env"] if "valueFrom" in each}
            assert "DRIFT_DATABASE" in secrets


def test_each_works_under_a_login_of_its_own(found: dict[str, Any]) -> None:
    """The owner migrates, before all else; runs write; the dashboard answers alerts."""
    logins: dict[str, set[str]] = {}
    for name, pod in pods(found).items():
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            (database,) = (each for each in container["env"] if each["name"] == "DRIFT_DATABASE")
            logins.setdefault(name, set()).add(database["valueFrom"]["secretKeyRef"]["key"])
    assert logins.pop("prod-drift-migrate") == {"owner"}
    assert logins.pop("prod-drift-dashboard") == {"dashboard"}
    assert set().union(*logins.values()) == {"writer"}
    (migrate,) = (each for each in found["objects"] if each["metadata"]["name"] == "prod-drift-migrate")
    assert migrate["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"


def test_each_schedule_is_a_run() -> None:
    """Of its monitor, at its time in its zone; two at once never; names that Kubernetes takes, none of them twice."""
    found = rendered(MOST)
    jobs = [each for each in found["objects"] if each["kind"] == "CronJob"]
    runs = {pods(found)[job["metadata"]["name"]]["containers"][0]["args"][-1]: job for job in jobs}
    assert {name: job["spec"]["schedule"] for name, job in runs.items()} == {
        **MOST["schedules"], "deliver": "*/5 * * * *"
    }  # fmt: skip
    assert len(jobs) == 4
    for job in jobs:
        assert job["spec"]["timeZone"] == "America/New_York"
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert len(job["metadata"]["name"]) <= 52


def test_the_service_finds_the_dashboard(found: dict[str, Any]) -> None:
    """By labels that its pods have, and no others; probes ask the port that is open."""
    by_kind = {each["kind"]: each for each in found["objects"]}
    template = by_kind["Deployment"]["spec"]["template"]
    selector = by_kind["Service"]["spec"]["selector"]
    assert selector.items() <= template["metadata"]["labels"].items()
    assert by_kind["Deployment"]["spec"]["selector"]["matchLabels"] == selector
    for each in found["objects"]:
        if each["kind"] == "CronJob":
            labels = each["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
            assert not selector.items() <= labels.items()
    (container,) = template["spec"]["containers"]
    assert {container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")} == {
        "/healthz"
    }
    assert [port["name"] for port in container["ports"]] == ["http"]


def test_the_notes_and_the_lint(found: dict[str, Any]) -> None:
    """The notes name where the dashboard is; Helm's own lint has no complaint."""
    assert "service/prod-drift-dashboard 8090:80" in found["notes"]
    assert found["lint"] == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "image.repository: the image that you built and pushed"),
        (LEAST | {"schedule": {}}, "schedule"),
        (LEAST | {"schedules": {"orders": "daily"}}, "schedules/orders"),
        (LEAST | {"dashboard": {"ingress": {"enabled": True}}}, "host"),
        (LEAST | {"database": {"owner": {"secret": ""}}}, "name the Secret"),
        (LEAST | {"resources": {"limits": 3}}, "limits"),
    ],
)
def test_what_is_wrong_is_said(values: dict[str, Any], said: str) -> None:
    """By the chart's schema, by the chart, or by the schema of Kubernetes; nothing is rendered then."""
    done = run(values)
    assert done.returncode != 0
    assert said in done.stderr
