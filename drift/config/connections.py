"""What a connection's name stands for, outside Airflow.

A monitor names its database by a connection id and never holds a URL. Inside Airflow the id is an Airflow connection;
elsewhere it is the environment variable ``DRIFT_CONNECTION_<NAME>`` or a line of ``connections.yaml``::

    warehouse: postgresql+psycopg://drift:${WAREHOUSE_PASSWORD}@db.example.com/warehouse
    demo: sqlite:///demo/flights.db
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from drift.errors import ConfigError, SourceMissing
from drift.text.secrets import learn, learn_environment, learn_url

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_VARIABLE = "DRIFT_CONNECTIONS"
_LARGEST = 1 << 20
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def variable_of(connection_name: str) -> str:
    """Return the environment variable that may hold a connection's URL.

    Examples
    --------
    >>> variable_of("data-warehouse.eu")
    'DRIFT_CONNECTION_DATA_WAREHOUSE_EU'
    """
    return "DRIFT_CONNECTION_" + re.sub(r"[^A-Z0-9]", "_", connection_name.upper())


def resolve_url(connection_name: str, env: Mapping[str, str], file: str | Path | None = None) -> str:
    """Return the database URL that a connection's name stands for.

    The environment goes before the file: `file`, else what ``DRIFT_CONNECTIONS`` names, else ``connections.yaml`` here.
    ``${VAR}`` in a URL is replaced as it stands, so a password with ``@``, ``/``, ``:`` or ``%`` in it has to be
    percent-encoded in its variable. Messages never show a URL: it may hold a password. A name or variable that is not
    known is a `SourceMissing`, whose message says which variable to set; a file that is not YAML a `ConfigError`.

    Examples
    --------
    >>> resolve_url("demo", {"DRIFT_CONNECTION_DEMO": "sqlite:///${HOME}/demo.db", "HOME": "/home/ada"})
    'sqlite:////home/ada/demo.db'
    """
    learn_environment(env)
    variable = variable_of(connection_name)
    if env.get(variable):
        return _expand(env[variable], env, f"the environment variable {variable}")
    asked_for = file or env.get(FILE_VARIABLE)
    path = Path(asked_for or "connections.yaml")
    urls = _read(path) if asked_for or path.exists() else {}
    if connection_name in urls:
        return _expand(urls[connection_name], env, f"{path}, key {connection_name}")
    known = f" (it has {', '.join(sorted(urls))})" if urls else ""
    raise SourceMissing(
        f"connection {connection_name!r} is not known: set {variable} to its database URL, or add the line "
        f"`{connection_name}: <URL>` to {path}{known}"
    )


def _read(path: Path) -> dict[str, str]:
    import yaml

    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError([f"{path}: is larger than {_LARGEST:,} bytes: write one `name: URL` a line"])
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file, named by {FILE_VARIABLE}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}"]) from None
    except yaml.YAMLError as error:
        # PyYAML quotes the line it stumbled on, and a line here may hold a password.
        mark = getattr(error, "problem_mark", None)
        raise ConfigError([f"{path}{f', line {mark.line + 1}' if mark else ''}: not valid YAML"]) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError([f"{path}: write one `name: URL` a line"])
    wrong = [str(name) for name, url in content.items() if not (isinstance(name, str) and isinstance(url, str) and url)]
    if wrong:
        raise ConfigError([f"{path}, key {name}: not a URL as text; write `{name}: <URL>`" for name in wrong])
    for url in content.values():
        learn_url(url)
    return content


def _expand(url: str, env: Mapping[str, str], where: str) -> str:
    unset = sorted({name for name in _REFERENCE.findall(url) if name not in env})
    if unset:
        raise SourceMissing(f"{where}: the URL needs ${{{unset[0]}}}: set the environment variable {unset[0]}")
    for name in _REFERENCE.findall(url):
        learn(env[name])
    expanded = _REFERENCE.sub(lambda match: env[match[1]], url)
    learn_url(expanded)
    return expanded
