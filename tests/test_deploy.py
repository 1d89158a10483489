"""The Helm chart as far as no Helm is needed: `make test-helm` renders it."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from jsonschema import Draft7Validator

import drift

CHART = Path(__file__).parent.parent / "deploy" / "helm" / "drift"


def test_the_chart_is_of_this_version() -> None:
    """Its images are, where nothing else is said."""
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == drift.__version__


def test_the_default_values_are_what_the_schema_takes() -> None:
    """Each of them is known to it, so that a value with a typing error is refused."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    Draft7Validator.check_schema(schema)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert list(Draft7Validator(schema).iter_errors(values)) == []
    assert set(values) == set(schema["properties"]) - {"global"}
