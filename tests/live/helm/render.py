"""Render the chart of a folder with the values on standard input, and check all against Kubernetes' schemas.

Run by the interpreter of build/helm. It prints the objects as JSON, or ends with what Helm or a schema says.
"""

from __future__ import annotations

import json
import sys

import yaml


def main(folder: str) -> None:
    """Print what Helm would install."""
    # Not in Drift's own environment, where its tests look for examples.
    import helm_python
    import kubernetes_validate

    values = json.load(sys.stdin)
    with helm_python.Chart.load(folder) as chart:
        chart.validate_schema(values)
        rendered = chart.render(values, name="prod", namespace="data")
    found = [
        document
        for name, text in rendered.items()
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    for document in found:
        for version in ("1.30", "1.37"):
            kubernetes_validate.validate(document, version, strict=True)
    problems = [each for each in helm_python.lint(folder)["messages"] if each["severity"] > 1]
    json.dump({"objects": found, "notes": rendered["drift/templates/NOTES.txt"], "lint": problems}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
