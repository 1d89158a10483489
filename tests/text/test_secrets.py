"""Secrets by their values: what is learnt, in which spellings, and where each length of it is masked."""

from __future__ import annotations

import html
import io
import json
import sys
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.text import secrets
from drift.text.secrets import MaskedStream, learn, learn_environment, learn_route, learn_url, masked


@given(
    st.text(min_size=8, max_size=40).filter(lambda text: text.strip("*") != ""),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_a_long_secret_is_masked_in_every_spelling(secret: str, before: str, after: str) -> None:
    """As it stands, percent-encoded, as JSON, Python and HTML write it; wherever it stands."""
    secret = secret.encode("utf-8", "replace").decode()
    learn(secret)
    for spelt in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1],
                  repr(secret)[1:-1], html.escape(secret)):  # fmt: skip
        assert spelt not in masked(f"{before}{spelt}{after}").replace("***", "\0")


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("s3cret", "no s3cret here", "no *** here"),
        ("s3cret", "s3crets, as3cret", "s3crets, as3cret"),
        ("ab", "about ab, a table", "about ab, a table"),
        ("ab", "postgresql://u:ab@db/ab password=ab;", "postgresql://u:***@db/ab password=***;"),
        ("x", "x = 5 at x", "x = 5 at x"),
    ],
)
def test_how_long_a_secret_is_says_where_it_is_masked(secret: str, text: str, expected: str) -> None:
    """Three letters and more as words, one or two only where a secret stands."""
    learn(secret)
    assert masked(text) == expected


@pytest.mark.parametrize(
    ("url", "said", "expected"),
    [
        ("postgresql://ada:p%40ss-word@db/x", "p@ss-word or p%40ss-word at db", "*** or *** at db"),
        ("pg://ada:p@ss-word@db/x", 'no host "ss-word@db"', 'no host "***@db"'),
        ("postgresql://ada:p/w0rdlong@db/x", "no port 'p', w0rdlong", "no port 'p', ***"),
        ("postgresql://ada@db/x?password=hunter22&sslmode=require", "sslmode require hunter22", "sslmode require ***"),
        ("pg://ada@db/x?nosuch=hunter22", 'unknown "nosuch": hunter22', 'unknown "nosuch": ***'),
        ("pg://drift:drift@drift/drift", "u://drift:drift@drift of drift", "u://drift:***@drift of drift"),
        ("duckdb:///x.db?motherduck_token=abc.def.ghi", "token abc.def.ghi of x.db", "token *** of x.db"),
        ("sqlite:////data/ops@home/x.db", "ops@home", "ops@home"),
        ("ada:hunter22@db", "hunter22", "***"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_what_a_url_keeps_secret(url: str, said: str, expected: str) -> None:
    """Its password, encoded or not, and options that are not known to be harmless; not its host, user or database."""
    learn_url(url)
    assert masked(said) == expected


def test_what_a_route_keeps_secret() -> None:
    """All its parts but its host and plain words."""
    learn_route("slack://T0KENAAA/B0KENBBB/c0kenccc/#alerts")
    learn_route("json://ada:hunter2@hooks.example.com/services/private-token/alerts?+X-Key=k3y-of-header")
    for part in ("T0KENAAA", "B0KENBBB", "c0kenccc", "hunter2", "private-token", "k3y-of-header"):
        assert masked(f"<{part}>") == "<***>"
    assert masked("services and alerts of hooks.example.com") == "services and alerts of hooks.example.com"


def test_what_an_environment_keeps_secret() -> None:
    """By the names of its variables; what monitors may show stays, and so do short words of strangers."""
    learn_environment(
        {
            "DRIFT_CONNECTION_A": "postgresql://ada:${PW_OF_A}@db/x", "PW_OF_A": "plain-secret",
            "PGPASSWORD": "pg-secret", "DRIFT_TOKEN": "token-of-drift", "AWS_SECRET_ACCESS_KEY": "aws/key+secret",
            "DRIFT_VAR_TOKEN": "shown-one",
            "NPM_TOKEN": "short", "PWD": "some/folder", "URL": "http://ada:inline-one@x",
            "DRIFT_ROUTE_A": "json://h/t0ken-of-it",
            "DB_PASSWORD_FILE": "/run/secrets/db",
        }
    )  # fmt: skip
    hidden = ["plain-secret", "pg-secret", "token-of-drift", "aws/key+secret", "inline-one", "t0ken-of-it"]
    assert [masked(text) for text in hidden] == ["***"] * len(hidden)
    shown = "shown-one short some/folder /run/secrets/db"
    assert masked(shown) == shown


def test_a_stream_masks_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is that stream for all else."""
    learn("correct horse")
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", MaskedStream(stream))
    sys.stdout.write("a correct horse 1\n")
    sys.stdout.writelines(["correct horse"])
    assert stream.getvalue() == "a *** 1\n***"
    assert not sys.stdout.isatty()


def test_json_is_masked_in_its_values() -> None:
    """Lists and what is within too; keys name things."""
    learn("correct horse")
    value = {"correct horse": ["a correct horse", {"x": "correct horse", "n": 1, "t": None}]}
    assert secrets.masked_all(value) == {"correct horse": ["a ***", {"x": "***", "n": 1, "t": None}]}
