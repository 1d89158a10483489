"""Only where `make test-helm` names the interpreter that has Helm."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("DRIFT_HELM") else ["test_*.py"]
