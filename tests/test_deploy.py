"""The Helm chart as far as no Helm is needed: `make test-helm` renders it."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import yaml
from jsonschema import Draft7Validator

import drift
from drift.config.monitor import parse_monitor

ROOT = Path(__file__).parent.parent
CHART = ROOT / "deploy" / "helm" / "drift"
DOCUMENT = ROOT / "docs" / "how-to" / "kubernetes.md"


def test_the_chart_is_of_this_version() -> None:
    """Its images are, where nothing else is said."""
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == drift.__version__


def test_the_schema_takes_the_default_values_and_the_document_s() -> None:
    """Each of them is known to it, so that a value with a typing error is refused; the document's monitor is one."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    Draft7Validator.check_schema(schema)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    shown = yaml.safe_load(textwrap.dedent(example))
    for each in (values, shown):
        assert list(Draft7Validator(schema).iter_errors(each)) == []
    assert {f"{parse_monitor(text).name}.yaml" for text in shown["monitors"]["files"].values()} == {"orders.yaml"}
