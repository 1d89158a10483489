"""Settings: a monitor with some of its keys changed, as a replay tries them and as a person pastes them.

Only what is judged from stored counts can be tried, which is `detection` and `reference`: everything else decides what
is read and counted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drift.config import yaml_document
from drift.config.monitor import parse_monitor
from drift.config.reference import KINDS, with_min_windows
from drift.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drift.config.monitor import Monitor

_REPLAYABLE = ("detection", "reference")


def read_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Read settings as they are written at the terminal, values as in a monitor file.

    Examples
    --------
    >>> read_settings(["detection.effect.warning=0.02", "reference.trailing=14d"])
    {'detection.effect.warning': 0.02, 'reference.trailing': '14d'}
    """
    found: dict[str, Any] = {}
    problems: list[str] = []
    for text in texts:
        key, sign, value = text.partition("=")
        document = yaml_document.read(f"value: {value}")
        if not sign or not key.strip() or document.problems or set(document.data or {}) != {"value"}:
            problems.append(f"--set {text}: is not a setting; fix: write KEY=VALUE, such as detection.z=4")
        else:
            found[key.strip()] = (document.data or {})["value"]
    if problems:
        raise ConfigError(problems)
    return found


def with_settings(monitor: Monitor, settings: Mapping[str, Any]) -> Monitor:
    r"""Return the monitor with some of its settings changed, by dotted key, and checked as a whole.

    A new kind of reference takes the place of the old; a default of `min_windows` follows it. A key outside `detection`
    and `reference` decides what is read and counted: it is a `ConfigError`.

    Examples
    --------
    >>> monitor = parse_monitor("name: n\nwindow: {every: 1d}\nsource: {files: a.csv, time_column: t}")
    >>> other = with_settings(monitor, {"detection.features.*_delay.critical": 0.2, "reference.same_weekday": 4})
    >>> str(other.reference), other.reference.min_windows, other.detection.effect_for("dep_delay").critical
    ('same weekday of 4 weeks', 1, 0.2)
    """
    if wrong := [key for key in settings if key.split(".")[0] not in _REPLAYABLE]:
        fix = "set detection.* or reference.*; other keys decide what is read and counted, which takes a backfill"
        raise ConfigError([f"--set {key}: cannot be replayed; fix: {fix}" for key in wrong])
    tree = monitor.model_dump(mode="json", by_alias=True, exclude_none=True)
    if {key.partition(".")[2] for key in settings if key.startswith("reference.")} & set(KINDS):
        for kind in KINDS:
            tree["reference"].pop(kind, None)
        free = monitor.reference.model_copy(update={"min_windows": None})
        if with_min_windows(free, monitor.window.calendar) == monitor.reference:
            tree["reference"].pop("min_windows", None)
    for key, value in settings.items():
        *path, last = _path(key)
        node = tree
        for part in path:
            if not isinstance(node.get(part), dict):
                node[part] = {}
            node = node[part]
        node[last] = value
    try:
        return parse_monitor(json.dumps(tree), "--set")
    except ConfigError as error:
        raise ConfigError([problem.replace("--set:1:", "--set", 1) for problem in error.problems]) from None


def _path(key: str) -> list[str]:
    """Split a dotted key; the pattern of features in the middle of one may hold dots itself."""
    head = "detection.features."
    if key.startswith(head) and key.count(".") > head.count("."):
        pattern, _, last = key.removeprefix(head).rpartition(".")
        return ["detection", "features", pattern, last]
    return key.split(".")


def adopt(monitor: Monitor, other: Monitor) -> Monitor:
    """Return `monitor` with the detection and the reference of another file.

    A `ConfigError` if the other one cuts time differently: counts of days say nothing of hours.
    """
    if other.window != monitor.window:
        theirs, mine = (f"{spec.every} ({spec.timezone})" for spec in (other.window, monitor.window))
        raise ConfigError([f"--config: windows of {theirs} are not counted; fix: keep the stored windows of {mine}"])
    return monitor.model_copy(update={"detection": other.detection, "reference": other.reference})


def changes(before: Monitor, after: Monitor) -> dict[str, Any]:
    r"""Return what differs in `detection` and `reference`, as nested keys and plain values.

    Examples
    --------
    >>> monitor = parse_monitor("name: n\nwindow: {every: 1d}\nsource: {files: a.csv, time_column: t}")
    >>> changes(monitor, with_settings(monitor, {"detection.persistence.at_least": 3}))
    {'detection': {'persistence': {'at_least': 3}}}
    """
    found: dict[str, Any] = {}
    for name in _REPLAYABLE:
        old, new = (getattr(side, name).model_dump(mode="json", exclude_none=True) for side in (before, after))
        if changed := _differing(old, new):
            found[name] = changed
    return found


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            if inner := _differing(old[key], value):
                found[key] = inner
        elif key not in old or old[key] != value:
            found[key] = value
    return found


def snippet(before: Monitor, after: Monitor) -> str:
    r"""Return what differs as YAML to paste into the monitor's file.

    Examples
    --------
    >>> monitor = parse_monitor("name: n\nwindow: {every: 1d}\nsource: {files: a.csv, time_column: t}")
    >>> print(snippet(monitor, with_settings(monitor, {"detection.features.*_delay.critical": 0.2})), end="")
    detection:
      features:
        '*_delay':
          critical: 0.2
    """
    import yaml

    changed = changes(before, after)
    return str(yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)) if changed else ""
