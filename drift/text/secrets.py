"""Secrets by their values: what this process knows of them is masked wherever a text leaves it.

Whoever reads a connection's URL, a route's, a token or the environment has it learnt here; whatever writes to a
terminal, a log, the results database, a notification or a page masks by it. How long a value is says where:

- eight characters or more: everywhere;
- three to seven: as a word of its own;
- one or two, and words that are no secret elsewhere (a user, host or database of the same URL): only in the place of a
  secret, before ``@``, or after ``password=`` and the like.

A value is known in every spelling that a library may give it: as it stands, percent-encoded and decoded, and escaped as
JSON, Python or HTML.
"""

from __future__ import annotations

import html
import json
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote, quote_plus, unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

MASK = "***"

_EVERYWHERE, _WORD = 8, 3

_NAMES = re.compile(
    r"(?i)(?:^|[_.-])(?:\w*passw(?:or)?d|passphrase|mysql_pwd|secrets?|tokens?|credential|authorization"
    r"|(?:api|access|private|fernet|account|secret)_?key)(?:_\d+)?$"
)
"""Names of variables, options and keys whose values are secrets."""

_OPEN_OPTIONS = re.compile(
    r"(?i)host|port|user|username|dbname|database|options|application_name|client_encoding|charset|driver|sslrootcert"
    r"|sslcert|sslkey|region|endpoint_override|warehouse|role|schema|catalog|project|location|spark\..*"
)
"""Options of URLs whose values may be shown; an option that is not known is taken for a secret."""

_OPEN_VALUES = re.compile(
    r"(?i)true|false|yes|no|on|off|none|null|require|prefer|allow|disable|verify-\w+|any|primary|standby|r[ow]|rwc"
    r"|memory|shared|private|read[-_](?:only|write)|utf-?8|https?|html|text|markdown|split|truncate|get|post|\d{1,5}"
)
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_PLACE = r"(?:(?<=[:/@\"'])V(?=@)|(?<=password=)V|(?<=passwd=)V|(?<=pwd=)V|(?<=secret=)V|(?<=token=)V|(?<=key=)V)(?!\w)"

_LOCK = threading.Lock()
_KNOWN: dict[str, str] = {}
_COMPILED: list[re.Pattern[str]] = []


def learn(value: str | None, public: Collection[str] = ()) -> None:
    """Have a value masked from now on; `public` are words that are shown elsewhere, whatever it is.

    Examples
    --------
    >>> learn("open sesame & more")
    >>> masked("https://cave/?word=open%20sesame%20%26%20more")
    'https://cave/?word=***'
    """
    if not value or value == MASK:
        return
    plain = {value, unquote(value), unquote_plus(value)}
    coded = {f(each) for each in plain for f in (_percent, quote, quote_plus, html.escape, _json, _python)}
    with _LOCK:
        for each in (plain | coded) - {""}:
            pattern = _pattern(each, everywhere=each not in public)
            if _KNOWN.setdefault(each, pattern) != pattern and len(pattern) < len(_KNOWN[each]):
                _KNOWN[each] = pattern
        _COMPILED.clear()


def _percent(text: str) -> str:
    return quote(text, safe="")


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _python(text: str) -> str:
    return repr(text)[1:-1]


def _pattern(value: str, *, everywhere: bool) -> str:
    literal = re.escape(value)
    if len(value) < _WORD or not everywhere:
        return _PLACE.replace("V", literal)
    return literal if len(value) >= _EVERYWHERE else rf"(?<!\w){literal}(?!\w)"


def learn_url(url: str) -> None:
    """Learn the secrets of a database's or a store's URL, also of one that cannot be read.

    They are the password, up to the last ``@`` before the options, and its parts, where an ``@`` or ``/`` in it was not
    encoded; and the values of all options but a few that are known to be none.
    """
    rest = url.partition("://")[2] or url
    if "@" in rest.partition("?")[0]:
        rest, query = rest.partition("?")[::2]
    else:
        query = rest.rpartition("@")[2].partition("?")[2]
    login, _, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    public = {user, unquote(user), *re.split(r"[/:?]", place)}
    learn(password, public)
    for part in re.split(r"[@/?#:]", password):
        learn(part, public)
    for option in re.split(r"[&;]", query):
        name, _, value = option.partition("=")
        if is_secret(name) or not (_OPEN_OPTIONS.fullmatch(name) or _OPEN_VALUES.fullmatch(value)):
            learn(value, public)


def learn_route(url: str) -> None:
    """Learn a route's URL as a whole, and of its parts all but words in small letters and the name of its host."""
    if url.startswith("file:"):
        return
    learn_url(url)
    scheme, _, rest = url.partition("://")
    learn(rest or scheme)
    netloc = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = netloc.rpartition("@")[2].partition(":")[0]
    for part in re.split(r"[/?&#@:=]", rest):
        is_host = part == host and re.fullmatch(r"[a-z0-9.-]{1,64}", part) and ("." in part or part == "localhost")
        if len(part) > 4 and not is_host and not re.fullmatch(r"[a-z]{1,12}", part):
            learn(part)


def learn_environment(env: Mapping[str, str]) -> None:
    """Learn the environment's secrets: connections, routes, tokens, and whatever else has a secret's name.

    ``DRIFT_VAR_…`` are what monitors may show. Of variables that only sound like secrets those of eight characters or
    more count.
    """
    for name, value in env.items():
        if name.startswith("DRIFT_ROUTE_"):
            learn_route(value)
        elif name.startswith(("DRIFT_CONNECTION_", "AIRFLOW_CONN_", "DRIFT_DATABASE")) or re.search(
            r"://[^/\s]*:[^/\s]*@", value
        ):
            learn_url(value)
            for used in _REFERENCE.findall(value):
                learn(env.get(used))
        elif is_secret(name) and not name.startswith("DRIFT_VAR_") and len(value) >= _EVERYWHERE:
            learn(value)


def is_secret(name: str) -> bool:
    """Whether what has this name is a secret.

    Examples
    --------
    >>> [is_secret(name) for name in ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "motherduck_token", "sslmode", "PWD")]
    [True, True, True, False, False]
    """
    return _NAMES.search(name) is not None


def learn_fields(fields: Mapping[str, object]) -> None:
    """Learn the values of a mapping, and of those within, whose keys are names of secrets."""
    for name, value in fields.items():
        if isinstance(value, dict):
            learn_fields(value)
        elif isinstance(value, str) and is_secret(name):
            learn(value)


def known() -> list[str]:
    """Return every spelling of every secret."""
    with _LOCK:
        return list(_KNOWN)


def masked(text: str) -> str:
    """Return a text without the secrets that are known.

    Examples
    --------
    >>> learn_url("postgresql://ada:p@ss-phrase@db/x?sslpassword=y7&sslmode=require")
    >>> masked("cannot reach postgresql://ada:p@ss-phrase@db/x; sslmode=require sslpassword=y7: no host ss-phrase@db")
    'cannot reach postgresql://ada:***@db/x; sslmode=require sslpassword=***: no host ***@db'
    """
    if not any(value in text for value in tuple(_KNOWN)):
        return text
    with _LOCK:
        if not _COMPILED:
            # The longest first: a password may hold another one.
            _COMPILED.append(re.compile("|".join(_KNOWN[each] for each in sorted(_KNOWN, key=len, reverse=True))))
        pattern = _COMPILED[0]
    return pattern.sub(MASK, text)


def masked_all(value: object) -> object:
    """Return a value of JSON whose texts are masked, keys and numbers as they are."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: masked_all(each) for key, each in value.items()}
    return [masked_all(each) for each in value] if isinstance(value, list | tuple) else value


class MaskedStream:
    """A text stream that masks what is written to it; all else is that stream's.

    Where its reader has gone (``| head``), as is their right, nothing more is written and nothing is wrong.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text without secrets."""
        try:
            self._stream.write(masked(text))
        except BrokenPipeError:
            self.drop()
        return len(text)

    def flush(self) -> None:
        """Write what is still held back."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self.drop()

    def drop(self) -> None:
        """Write nowhere from now on: what is held back may never be written."""
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts without secrets."""
        for line in lines:
            self.write(line)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
