"""Files of deploy/: well formed, safe by their own words, and about what the server really tells."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml
from started import started

from recdistill.serving.private_files import is_private

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMTOOL = shutil.which("promtool")


def manifests() -> list[dict]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [one for file in files for one in yaml.safe_load_all(file.read_text())]


def of_kind(kind: str) -> list[dict]:
    return [one for one in manifests() if one["kind"] == kind]


def queries() -> list[str]:
    """All that rules and dashboard ask Prometheus."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    asked = [rule["expr"] for group in rules for rule in group["rules"]]
    asked += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return asked + [each["expr"] for each in dashboard["annotations"]["list"]]


def test_what_is_asked_of_prometheus_is_what_the_server_tells(client) -> None:
    client.post("/v1/recommend", {"history": ["i0001"]})
    client.post("/v1/recommend", {"history": ["nobody knows"]})
    told = client.get("/metrics").text
    names = set(re.findall(r"^(recdistill_\w+)[{ ]", told, re.M))
    asked = {name for query in queries() for name in re.findall(r"\brecdistill_\w+", query)}
    assert len(asked) > 10
    assert asked - names == set()
    operations = {each.name for each in client.app.operations}
    named = {n for query in queries() for n in re.findall(r'operation="(\w+)"', query)}
    assert named <= operations
    edges = set(re.findall(r'le="([\d.]+)"', told))
    assert {e for query in queries() for e in re.findall(r'le="([\d.]+)"', query)} <= edges


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here")
@pytest.mark.parametrize("command", [("check", "alerts.yml"), ("test", "alerts_test.yml")])
def test_rules_are_rules_and_fire_when_they_should(command) -> None:
    verb, file = command
    words = [PROMTOOL, verb, "rules", str(DEPLOY / "prometheus" / file)]
    told = subprocess.run(words, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_alert_is_tested_or_said_why_not() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in rules for rule in group["rules"] if "alert" in rule}
    tests = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text())["tests"]
    tested = {each["alertname"] for test in tests for each in test["alert_rule_test"]}
    assert alerts - tested == {"RecdistillScoreDrift"}  # it compares with a day ago


@pytest.mark.parametrize("name", ["recdistill", "recdistill-redis"])
def test_containers_may_do_next_to_nothing(name) -> None:
    (workload,) = [
        one
        for one in manifests()
        if one["kind"] in ("Deployment", "StatefulSet") and one["metadata"]["name"] == name
    ]
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        allowed = container["securityContext"]
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
        assert {"readinessProbe", "livenessProbe"} <= set(container)


def test_manifests_are_about_each_other(client) -> None:
    (server,) = of_kind("Deployment")
    labels = server["spec"]["template"]["metadata"]["labels"]
    services = {one["metadata"]["name"]: one["spec"] for one in of_kind("Service")}
    assert services["recdistill"]["selector"] == server["spec"]["selector"]["matchLabels"] == labels
    (scaler,), (budget,) = of_kind("HorizontalPodAutoscaler"), of_kind("PodDisruptionBudget")
    assert scaler["spec"]["scaleTargetRef"]["name"] == server["metadata"]["name"]
    assert scaler["spec"]["minReplicas"] > budget["spec"]["minAvailable"]
    assert budget["spec"]["selector"]["matchLabels"] == labels
    (container,) = server["spec"]["template"]["spec"]["containers"]
    known = {(each.method, each.path) for each in client.app.operations}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert ("GET", container[probe]["httpGet"]["path"]) in known
    variables = {each["name"]: each.get("value") for each in container["env"]}
    host = re.match(r"redis://([\w-]+):6379", variables["RECDISTILL_HISTORIES"]).group(1)
    assert host in services
    claims = {one["metadata"]["name"] for one in of_kind("PersistentVolumeClaim")}
    volumes = server["spec"]["template"]["spec"]["volumes"]
    assert {
        v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v
    } <= claims
    assert {mount["name"] for mount in container["volumeMounts"]} == {v["name"] for v in volumes}


def test_options_and_variables_are_the_command_lines() -> None:
    help_text = subprocess.run(
        [sys.executable, "-c", "from recdistill.cli import main; main()", "serve", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "200", "TERM": "dumb"},
    ).stdout
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    (server,) = of_kind("Deployment")
    container = server["spec"]["template"]["spec"]["containers"][0]
    file = (DEPLOY / "Containerfile").read_text()
    words = [*compose["services"]["server"]["command"], *container["args"]]
    words += re.findall(r'"(--[a-z-]+)"', file.partition("ENTRYPOINT")[2])
    assert {word for word in words if word.startswith("--")} <= set(
        re.findall(r"--[a-z-]+", help_text)
    )
    variables = set(re.findall(r"RECDISTILL_\w+", file)) | set(
        compose["services"]["server"]["environment"]
    )
    assert variables <= set(re.findall(r"RECDISTILL_\w+", help_text))
    for name in ("COPY pyproject.toml README.md LICENSE", "--require-hashes", "USER 10001"):
        assert name in file
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize(
    ("owner", "mode", "me", "private"),
    [
        (7, 0o600, 7, True),
        (7, 0o640, 7, False),
        (0, 0o440, 7, True),  # a secret that Kubernetes mounts
        (0, 0o460, 7, False),
        (0, 0o444, 7, False),
        (0, 0o640, 0, False),
        (0, 0o400, 0, True),
    ],
)
def test_whose_secrets_are_private(monkeypatch, owner, mode, me, private) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: me)
    status = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, 9, 1, 0, 0, 0))
    assert is_private(status) == private


@pytest.mark.slow
def test_the_image_is_small_and_serves(bundle_folder, tmp_path) -> None:
    """What the container file installs, in an environment of its own: no torch, less than 400 MB, and it answers."""
    place = tmp_path / "image"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install", "-q"]
    hashed = ["--no-compile", "--require-hashes", "-r", str(DEPLOY / "requirements.txt")]
    subprocess.run([*pip, *hashed], check=True)
    subprocess.run([*pip, "--no-compile", "--no-deps", str(DEPLOY.parent)], check=True)
    packages = next((place / "lib").glob("python*/site-packages"))
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
    assert size < 400_000_000, size
    assert not {"torch", "pyarrow", "transformers"} & {each.name for each in packages.iterdir()}
    python, empty = (
        str(place / "bin" / "python"),
        {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    with started(bundle_folder, "--histories", "none", python=python, **empty) as server:
        assert server.once().status == 200
        assert httpx.get(f"{server.url}/readyz").status_code == 200
