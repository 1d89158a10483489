"""The tables of the results database, and the few column types they are made of.

Only aggregates are stored: counts, summaries, scores, verdicts; never a row of the data. Every table has a natural key,
so writing the same thing twice changes nothing. `docs/reference/database.md` describes each column for those who
query it.
"""

from __future__ import annotations

import math
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from drift.text.secrets import masked, masked_all

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

WHOLE = ""
"""In place of a segment: the whole window."""

EVER = datetime.min.replace(tzinfo=UTC)
"""Earlier than any window."""

NEVER = datetime.max.replace(tzinfo=UTC)
"""Later than any window."""

CUTS = "*"
"""Where baselines hold no bins of a feature, but a way to cut windows into segments."""


class Instant(TypeDecorator[datetime]):
    """An aware point in time, kept and returned in UTC.

    PostgreSQL has a type for it; in SQLite it is text of fixed width, so that its order is the order of time.

    Examples
    --------
    >>> from sqlalchemy.dialects import sqlite
    >>> Instant().process_bind_param(datetime(2013, 2, 8, 5, tzinfo=UTC), sqlite.dialect())
    '2013-02-08T05:00:00.000000Z'
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return text for SQLite, a timestamp with time zone for PostgreSQL."""
        return dialect.type_descriptor(sa.String(27) if dialect.name == "sqlite" else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write UTC; a naive time is refused, as nobody knows when it was."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the time {value} has no time zone")
        instant = value.astimezone(UTC)
        if dialect.name != "sqlite":
            return instant
        return _written_instant(instant)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the same for both
        """Read UTC."""
        if value is None:
            return None
        return _read_instant(value) if isinstance(value, str) else value.astimezone(UTC)


# A hundred rows of one window hold the same time, and a run asks for the same windows again and again.


@lru_cache(maxsize=1 << 12)
def _written_instant(instant: datetime) -> str:
    return f"{instant.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


@lru_cache(maxsize=1 << 12)
def _read_instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


class Finite(TypeDecorator[float]):
    """A float64 that is a number: infinity and NaN never stand for a score.

    Examples
    --------
    >>> from sqlalchemy.dialects import sqlite
    >>> Finite().process_bind_param(float("nan"), sqlite.dialect())
    Traceback (most recent call last):
    ValueError: nan is not a finite number
    """

    impl = sa.Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: ARG002 - the same for both
        """Write a plain float; infinity and NaN are refused."""
        if value is None:
            return None
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        return float(value)


class Cells(TypeDecorator["NDArray[Any]"]):
    """One number a cell of a binning, as little-endian bytes, eight each.

    Parameters
    ----------
    kind
        ``i8`` for counts, ``f8`` for contributions.

    Examples
    --------
    >>> from sqlalchemy.dialects import sqlite
    >>> Cells("i8").process_bind_param(np.array([1, 258]), sqlite.dialect()).hex()
    '01000000000000000201000000000000'
    """

    impl = sa.LargeBinary
    cache_ok = True

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: NDArray[Any] | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - the same for both
        """Write the bytes; a fraction among counts, infinity and NaN are refused."""
        if value is None:
            return None
        array = np.asarray(value)
        if not np.can_cast(array.dtype, self.kind, "safe") or not np.isfinite(array).all():
            raise ValueError(f"{array.tolist()} are not all finite numbers of type {self.kind}")
        return array.astype(f"<{self.kind}").tobytes()

    def process_result_value(self, value: Any, dialect: Dialect) -> NDArray[Any] | None:  # noqa: ARG002 - the same for both
        """Read a read-only array in the machine's own byte order."""
        return None if value is None else np.frombuffer(value, f"<{self.kind}").astype(self.kind, copy=False)


class Deflated(TypeDecorator["NDArray[Any]"]):
    """Counts below 2^32, most of them small, as few bytes: all lowest bytes first, then the next; deflated.

    Examples
    --------
    >>> from sqlalchemy.dialects import sqlite
    >>> written = Deflated().process_bind_param(np.full(100_000, 258), sqlite.dialect())
    >>> len(written) < 1000, Deflated().process_result_value(written, sqlite.dialect())[-1]
    (True, np.int32(258))
    """

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: NDArray[Any] | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - the same for both
        """Write the bytes."""
        if value is None:
            return None
        return zlib.compress(value.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes())

    def process_result_value(self, value: Any, dialect: Dialect) -> NDArray[Any] | None:  # noqa: ARG002 - the same for both
        """Read an array."""
        return None if value is None else inflated(value)


def inflated(written: bytes) -> NDArray[np.int32]:
    """Return the numbers that `Deflated` wrote.

    Examples
    --------
    >>> from sqlalchemy.dialects import sqlite
    >>> inflated(Deflated().process_bind_param(np.array([1, 258]), sqlite.dialect())).tolist()
    [1, 258]
    """
    planes = np.frombuffer(zlib.decompress(written), np.uint8).reshape(4, -1)
    return np.ascontiguousarray(planes.T).view("<u4").ravel().astype(np.int32)


class Words(TypeDecorator[str]):
    """Free text for a person, without secrets; what PostgreSQL cannot hold (NUL, half a surrogate pair) is U+FFFD."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the same for both
        """Write text that any database can hold."""
        if value is None:
            return None
        return (
            masked(value)
            .encode("utf-16", "surrogatepass")
            .decode("utf-16", "replace")
            .replace("\0", "\N{REPLACEMENT CHARACTER}")
        )


class Facts(TypeDecorator[Any]):
    """JSON in which there are texts for a person, without secrets."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - the same for both
        """Write the value with its texts masked."""
        return masked_all(value)


_GATES = "('accepted', 'warned', 'rejected', 'not_validated', 'unreadable')"

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _key(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True)


def _must(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _may(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind)


monitor_version = sa.Table(
    "monitor_version",
    metadata,
    _key("monitor"),
    _key("config_hash"),
    _must("config", Facts),
    _must("first_seen_at", Instant),
    _must("activated_at", Instant),
    # What was written last is in force, whatever the clock said then.
    _must("activation", sa.Integer),
)

binning = sa.Table(
    "binning",
    metadata,
    _key("fingerprint"),
    _must("kind"),
    _must("spec", sa.JSON),
)

baseline = sa.Table(
    "baseline",
    metadata,
    _key("monitor"),
    _key("segment"),
    _key("feature"),
    _key("version", sa.Integer),
    sa.Column("fingerprint", sa.Text, sa.ForeignKey("binning.fingerprint"), nullable=False),
    _must("arrow_type"),
    _must("fitted_from", Instant),
    _must("fitted_to", Instant),
    _must("n_rows", sa.BigInteger),
    _must("created_at", Instant),
    _must("created_by"),
    _must("reason", Words),
)

gate = sa.Table(
    "gate",
    metadata,
    _key("monitor"),
    _key("window_start", Instant),
    _must("window_end", Instant),
    _must("decision"),
    _must("checked_at", Instant),
    sa.CheckConstraint(f"decision IN {_GATES}", name="decision"),
)

validation = sa.Table(
    "validation",
    metadata,
    _key("monitor"),
    _key("window_start", Instant),
    _key("key"),
    _must("expectation"),
    _may("column_name"),
    _must("severity"),
    _must("success", sa.Boolean),
    _must("error", sa.Boolean),
    _may("observed", Words),
    _must("message", Words),
    sa.ForeignKeyConstraint(["monitor", "window_start"], ["gate.monitor", "gate.window_start"], ondelete="CASCADE"),
)

profile = sa.Table(
    "profile",
    metadata,
    _key("monitor"),
    _key("segment"),
    _key("window_start", Instant),
    _must("window_end", Instant),
    _must("n_rows", sa.BigInteger),
    _must("gate"),
    _must("binning_key"),
    _must("digest"),
    _must("schema", sa.JSON),
    _must("problems", Facts),
    _must("notes", Facts),
    _must("first_seen_at", Instant),
    sa.CheckConstraint(f"gate IN {_GATES}", name="gate"),
)

histogram = sa.Table(
    "histogram",
    metadata,
    _key("monitor"),
    _key("segment"),
    _key("feature"),
    _key("window_start", Instant),
    sa.Column("fingerprint", sa.Text, sa.ForeignKey("binning.fingerprint"), primary_key=True),
    _must("counts", Cells("i8")),
    _may("summary", sa.JSON(none_as_null=True)),
    _may("atoms", sa.JSON(none_as_null=True)),
    sa.ForeignKeyConstraint(
        ["monitor", "segment", "window_start"],
        ["profile.monitor", "profile.segment", "profile.window_start"],
        ondelete="CASCADE",
    ),
    # Reading a reference takes all features of some windows; the key serves one feature over all windows.
    sa.Index(None, "monitor", "segment", "window_start"),
)

pair_counts = sa.Table(
    "pair_counts",
    metadata,
    _key("monitor"),
    _key("segment"),
    _key("window_start", Instant),
    _must("n_rows", sa.Integer),
    _must("columns", sa.JSON),
    _must("counts", Deflated),
    sa.ForeignKeyConstraint(
        ["monitor", "segment", "window_start"],
        ["profile.monitor", "profile.segment", "profile.window_start"],
        ondelete="CASCADE",
    ),
)

run = sa.Table(
    "run",
    metadata,
    _key("monitor"),
    _key("window_start", Instant),
    _must("window_end", Instant),
    _may("reference", Words),
    _may("config_hash"),
    _must("status"),
    _may("started_at", Instant),
    _may("finished_at", Instant),
    _may("error", Words),
    _may("url", Words),
    # While it is running: which process may be asked whether it lives.
    _may("process"),
    _may("upstream", sa.JSON(none_as_null=True)),
)

report = sa.Table(
    "report",
    metadata,
    _key("monitor"),
    _key("segment"),
    _key("window_start", Instant),
    _must("window_end", Instant),
    _must("label", Words),
    _must("reference", Words),
    _must("gate"),
    _must("status"),
    _must("rule", Words),
    _must("n_reference", sa.BigInteger),
    _must("n_current", sa.BigInteger),
    _must("n_features", sa.Integer),
    _must("n_judged", sa.Integer),
    _must("n_drifting", sa.Integer),
    _must("total_kl", Finite),
    _must("findings", Facts),
    _must("n_pairs", sa.Integer),
    _must("unjudged_pairs", Words),
)

measured = sa.Table(
    "measured",
    metadata,
    _key("monitor"),
    _key("segment"),
    _key("window_start", Instant),
    _must("reference", Deflated),
    _must("columns", sa.JSON),
    _must("pairs", Deflated),
    sa.ForeignKeyConstraint(
        ["monitor", "segment", "window_start"],
        ["report.monitor", "report.segment", "report.window_start"],
        ondelete="CASCADE",
    ),
)

relationship = sa.Table(
    "relationship",
    metadata,
    _key("monitor"),
    _key("segment"),
    _key("window_start", Instant),
    _key("first_column"),
    _key("second_column"),
    _must("position", sa.Integer),
    _must("named"),
    _must("severity"),
    _must("lasting", sa.Boolean),
    _must("named_z", Finite),
    _must("kl", Finite),
    _must("kl_corrected", Finite),
    _must("ci_low", Finite),
    _must("ci_high", Finite),
    _must("p", Finite),
    _must("q", Finite),
    _must("z", Finite),
    _must("mixed", Finite),
    _must("before", Finite),
    _must("after", Finite),
    _must("moved", sa.JSON),
    _may("onset", sa.JSON(none_as_null=True)),
    sa.ForeignKeyConstraint(
        ["monitor", "segment", "window_start"],
        ["report.monitor", "report.segment", "report.window_start"],
        ondelete="CASCADE",
    ),
)

score = sa.Table(
    "score",
    metadata,
    _key("monitor"),
    _key("segment"),
    _key("feature"),
    _key("window_start", Instant),
    _must("window_end", Instant),
    _must("position", sa.Integer),
    _must("status"),
    _must("severity"),
    _must("reason", Words),
    _must("warning", Finite),
    _must("critical", Finite),
    _must("role"),
    _must("weight", Finite),
    _must("scale"),
    _may("size", Finite),
    _may("kind"),
    _may("kl", Finite),
    _may("kl_reverse", Finite),
    _may("psi", Finite),
    _may("js", Finite),
    _may("kl_corrected", Finite),
    _may("ci_low", Finite),
    _may("ci_high", Finite),
    _may("p", Finite),
    _may("q", Finite),
    _may("z", Finite),
    _may("z_lasting", Finite),
    _may("noise", Finite),
    _may("kl_fixed", Finite),
    _may("wasserstein", Finite),
    _may("reference", Words),
    _may("n_reference", sa.BigInteger),
    _may("n_current", sa.BigInteger),
    _may("cells", sa.Integer),
    _may("null_rate_reference", Finite),
    _may("null_rate_current", Finite),
    _may("smoothing"),
    _may("fingerprint"),
    _may("counted_as"),
    _may("contributions", Cells("f8")),
    _may("reference_counts", Cells("i8")),
    _may("reference_summary", sa.JSON(none_as_null=True)),
    _may("cell", sa.JSON(none_as_null=True)),
    _may("onset", sa.JSON(none_as_null=True)),
    _may("slices", sa.JSON(none_as_null=True)),
    sa.ForeignKeyConstraint(
        ["monitor", "segment", "window_start"],
        ["report.monitor", "report.segment", "report.window_start"],
        ondelete="CASCADE",
    ),
    # One window's features, and in what order a heatmap shows them, from the index alone; the key serves one feature
    # over all windows.
    sa.Index("ix_score_heatmap", *("monitor", "segment", "window_start", "feature"), *("status", "size", "critical")),
)

alert = sa.Table(
    "alert",
    metadata,
    _key("id"),
    _must("monitor"),
    _must("key"),
    _must("kind"),
    _may("feature"),
    _must("segment"),
    _must("state"),
    _must("severity"),
    _must("worst"),
    _must("reason", Words),
    _must("opened_window", Instant),
    _must("last_window", Instant),
    _must("opened_at", Instant),
    _must("last_seen_at", Instant),
    _must("windows", sa.Integer),
    _must("quiet", sa.Integer),
    _may("acknowledged_at", Instant),
    _may("acknowledged_by", Words),
    _may("snoozed_at", Instant),
    _may("snoozed_by", Words),
    _may("snoozed_until", Instant),
    _may("resolved_at", Instant),
    _may("resolved_window", Instant),
    _may("resolved_by", Words),
    _must("notified"),
    _may("notified_at", Instant),
    _must("suppressed_by", Words),
    _must("inhibited_by", Words),
    _may("onset", sa.JSON(none_as_null=True)),
    _may("slices", sa.JSON(none_as_null=True)),
    _may("began", sa.JSON(none_as_null=True)),
    _must("incident"),
    _must("notified_as"),
    _must("cause"),
    _must("events", sa.Integer),
    sa.CheckConstraint("state IN ('open', 'acknowledged', 'resolved')", name="state"),
    sa.Index(None, "monitor", "state"),
    sa.Index(None, "incident"),
)

alert_event = sa.Table(
    "alert_event",
    metadata,
    sa.Column("alert_id", sa.Text, sa.ForeignKey("alert.id", ondelete="CASCADE"), primary_key=True),
    _key("seq", sa.Integer),
    _must("at", Instant),
    _may("window_start", Instant),
    _must("transition"),
    _must("reason", Words),
    _must("actor", Words),
    _must("suppressed_by", Words),
)

silence = sa.Table(
    "silence",
    metadata,
    _key("id"),
    _must("monitor"),
    _must("features"),
    _must("reason", Words),
    _must("created_at", Instant),
    _must("created_by", Words),
    _must("until", Instant),
    _may("ended_at", Instant),
    _may("ended_by", Words),
    _may("ended_reason", Words),
    sa.Index(None, "monitor", "until"),
)

mark = sa.Table(
    "mark",
    metadata,
    _key("id"),
    _must("at", Instant),
    # NULL is every monitor.
    _may("monitor"),
    _must("text", Words),
    _must("created_at", Instant),
    _must("created_by", Words),
    sa.Index(None, "at"),
)

notification = sa.Table(
    "notification",
    metadata,
    _key("id"),
    _must("monitor"),
    _may("window_start", Instant),
    _must("route"),
    _must("title", Words),
    _must("body", Words),
    _must("payload", Facts),
    _must("state"),
    _must("attempts", sa.Integer),
    _must("next_attempt_at", Instant),
    _may("last_error", Words),
    _must("created_at", Instant),
    _may("not_before", Instant),
    _may("tried_at", Instant),
    _may("sent_at", Instant),
    sa.CheckConstraint("state IN ('pending', 'sent', 'dead', 'merged')", name="state"),
    sa.Index(None, "state", "next_attempt_at"),
)
