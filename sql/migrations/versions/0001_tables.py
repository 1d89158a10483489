"""The first tables.

Revision 0001, after nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")

_GATES = "('accepted', 'warned', 'rejected', 'not_validated', 'unreadable')"

_TABLES = (
    "monitor_version",
    "binning",
    "baseline",
    "gate",
    "validation",
    "profile",
    "histogram",
    "pair_counts",
    "run",
    "report",
    "measured",
    "relationship",
    "score",
    "alert",
    "alert_event",
    "silence",
    "mark",
    "notification",
)


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "monitor_version",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("first_seen_at", _INSTANT, nullable=False),
        sa.Column("activated_at", _INSTANT, nullable=False),
        sa.Column("activation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("monitor", "config_hash", name="pk_monitor_version"),
    )
    op.create_table(
        "binning",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_binning"),
    )
    op.create_table(
        "baseline",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("arrow_type", sa.Text(), nullable=False),
        sa.Column("fitted_from", _INSTANT, nullable=False),
        sa.Column("fitted_to", _INSTANT, nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["fingerprint"], ["binning.fingerprint"], name="fk_baseline_binning"),
        sa.PrimaryKeyConstraint("monitor", "segment", "feature", "version", name="pk_baseline"),
    )
    op.create_table(
        "gate",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("window_end", _INSTANT, nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("checked_at", _INSTANT, nullable=False),
        sa.CheckConstraint(f"decision IN {_GATES}", name=op.f("ck_gate_decision")),
        sa.PrimaryKeyConstraint("monitor", "window_start", name="pk_gate"),
    )
    op.create_table(
        "validation",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("expectation", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text()),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Boolean(), nullable=False),
        sa.Column("observed", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["monitor", "window_start"],
            ["gate.monitor", "gate.window_start"],
            name="fk_validation_gate",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("monitor", "window_start", "key", name="pk_validation"),
    )
    op.create_table(
        "profile",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("window_end", _INSTANT, nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("binning_key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("schema", sa.JSON(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("first_seen_at", _INSTANT, nullable=False),
        sa.CheckConstraint(f"gate IN {_GATES}", name=op.f("ck_profile_gate")),
        sa.PrimaryKeyConstraint("monitor", "segment", "window_start", name="pk_profile"),
    )
    op.create_table(
        "histogram",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.Column("summary", sa.JSON()),
        sa.Column("atoms", sa.JSON()),
        sa.ForeignKeyConstraint(["fingerprint"], ["binning.fingerprint"], name="fk_histogram_binning"),
        sa.ForeignKeyConstraint(
            ["monitor", "segment", "window_start"],
            ["profile.monitor", "profile.segment", "profile.window_start"],
            name="fk_histogram_profile",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("monitor", "segment", "feature", "window_start", "fingerprint", name="pk_histogram"),
    )
    op.create_index("ix_histogram_monitor_segment_window_start", "histogram", ["monitor", "segment", "window_start"])
    op.create_table(
        "pair_counts",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("n_rows", sa.Integer(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["monitor", "segment", "window_start"],
            ["profile.monitor", "profile.segment", "profile.window_start"],
            name="fk_pair_counts_profile",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("monitor", "segment", "window_start", name="pk_pair_counts"),
    )
    op.create_table(
        "run",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("window_end", _INSTANT, nullable=False),
        sa.Column("reference", sa.Text()),
        sa.Column("config_hash", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", _INSTANT),
        sa.Column("finished_at", _INSTANT),
        sa.Column("error", sa.Text()),
        sa.Column("url", sa.Text()),
        sa.Column("process", sa.Text()),
        sa.Column("upstream", sa.JSON()),
        sa.PrimaryKeyConstraint("monitor", "window_start", name="pk_run"),
    )
    op.create_table(
        "report",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("window_end", _INSTANT, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("n_reference", sa.BigInteger(), nullable=False),
        sa.Column("n_current", sa.BigInteger(), nullable=False),
        sa.Column("n_features", sa.Integer(), nullable=False),
        sa.Column("n_judged", sa.Integer(), nullable=False),
        sa.Column("n_drifting", sa.Integer(), nullable=False),
        sa.Column("total_kl", sa.Double(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("n_pairs", sa.Integer(), nullable=False),
        sa.Column("unjudged_pairs", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("monitor", "segment", "window_start", name="pk_report"),
    )
    op.create_table(
        "measured",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("reference", sa.LargeBinary(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("pairs", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["monitor", "segment", "window_start"],
            ["report.monitor", "report.segment", "report.window_start"],
            name="fk_measured_report",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("monitor", "segment", "window_start", name="pk_measured"),
    )
    op.create_table(
        "relationship",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("first_column", sa.Text(), nullable=False),
        sa.Column("second_column", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("named", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("lasting", sa.Boolean(), nullable=False),
        sa.Column("named_z", sa.Double(), nullable=False),
        sa.Column("kl", sa.Double(), nullable=False),
        sa.Column("kl_corrected", sa.Double(), nullable=False),
        sa.Column("ci_low", sa.Double(), nullable=False),
        sa.Column("ci_high", sa.Double(), nullable=False),
        sa.Column("p", sa.Double(), nullable=False),
        sa.Column("q", sa.Double(), nullable=False),
        sa.Column("z", sa.Double(), nullable=False),
        sa.Column("mixed", sa.Double(), nullable=False),
        sa.Column("before", sa.Double(), nullable=False),
        sa.Column("after", sa.Double(), nullable=False),
        sa.Column("moved", sa.JSON(), nullable=False),
        sa.Column("onset", sa.JSON()),
        sa.ForeignKeyConstraint(
            ["monitor", "segment", "window_start"],
            ["report.monitor", "report.segment", "report.window_start"],
            name="fk_relationship_report",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "monitor", "segment", "window_start", "first_column", "second_column", name="pk_relationship"
        ),
    )
    op.create_table(
        "score",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT, nullable=False),
        sa.Column("window_end", _INSTANT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("warning", sa.Double(), nullable=False),
        sa.Column("critical", sa.Double(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("scale", sa.Text(), nullable=False),
        sa.Column("size", sa.Double()),
        sa.Column("kind", sa.Text()),
        sa.Column("kl", sa.Double()),
        sa.Column("kl_reverse", sa.Double()),
        sa.Column("psi", sa.Double()),
        sa.Column("js", sa.Double()),
        sa.Column("kl_corrected", sa.Double()),
        sa.Column("ci_low", sa.Double()),
        sa.Column("ci_high", sa.Double()),
        sa.Column("p", sa.Double()),
        sa.Column("q", sa.Double()),
        sa.Column("z", sa.Double()),
        sa.Column("z_lasting", sa.Double()),
        sa.Column("noise", sa.Double()),
        sa.Column("kl_fixed", sa.Double()),
        sa.Column("wasserstein", sa.Double()),
        sa.Column("reference", sa.Text()),
        sa.Column("n_reference", sa.BigInteger()),
        sa.Column("n_current", sa.BigInteger()),
        sa.Column("cells", sa.Integer()),
        sa.Column("null_rate_reference", sa.Double()),
        sa.Column("null_rate_current", sa.Double()),
        sa.Column("smoothing", sa.Text()),
        sa.Column("fingerprint", sa.Text()),
        sa.Column("counted_as", sa.Text()),
        sa.Column("contributions", sa.LargeBinary()),
        sa.Column("reference_counts", sa.LargeBinary()),
        sa.Column("reference_summary", sa.JSON()),
        sa.Column("cell", sa.JSON()),
        sa.Column("onset", sa.JSON()),
        sa.Column("slices", sa.JSON()),
        sa.ForeignKeyConstraint(
            ["monitor", "segment", "window_start"],
            ["report.monitor", "report.segment", "report.window_start"],
            name="fk_score_report",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("monitor", "segment", "feature", "window_start", name="pk_score"),
    )
    op.create_index(
        "ix_score_heatmap",
        "score",
        ["monitor", "segment", "window_start", "feature", "status", "size", "critical"],
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text()),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("worst", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_window", _INSTANT, nullable=False),
        sa.Column("last_window", _INSTANT, nullable=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("last_seen_at", _INSTANT, nullable=False),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.Column("quiet", sa.Integer(), nullable=False),
        sa.Column("acknowledged_at", _INSTANT),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("snoozed_at", _INSTANT),
        sa.Column("snoozed_by", sa.Text()),
        sa.Column("snoozed_until", _INSTANT),
        sa.Column("resolved_at", _INSTANT),
        sa.Column("resolved_window", _INSTANT),
        sa.Column("resolved_by", sa.Text()),
        sa.Column("notified", sa.Text(), nullable=False),
        sa.Column("notified_at", _INSTANT),
        sa.Column("suppressed_by", sa.Text(), nullable=False),
        sa.Column("inhibited_by", sa.Text(), nullable=False),
        sa.Column("onset", sa.JSON()),
        sa.Column("slices", sa.JSON()),
        sa.Column("began", sa.JSON()),
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("notified_as", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'acknowledged', 'resolved')", name=op.f("ck_alert_state")),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
    )
    op.create_index("ix_alert_monitor_state", "alert", ["monitor", "state"])
    op.create_index("ix_alert_incident", "alert", ["incident"])
    op.create_table(
        "alert_event",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("window_start", _INSTANT),
        sa.Column("transition", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("suppressed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_alert_event_alert", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alert_id", "seq", name="pk_alert_event"),
    )
    op.create_table(
        "silence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("until", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT),
        sa.Column("ended_by", sa.Text()),
        sa.Column("ended_reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_silence"),
    )
    op.create_index("ix_silence_monitor_until", "silence", ["monitor", "until"])
    op.create_table(
        "mark",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("monitor", sa.Text()),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mark"),
    )
    op.create_index("ix_mark_at", "mark", ["at"])
    op.create_table(
        "notification",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("window_start", _INSTANT),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", _INSTANT, nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("not_before", _INSTANT),
        sa.Column("tried_at", _INSTANT),
        sa.Column("sent_at", _INSTANT),
        sa.CheckConstraint("state IN ('pending', 'sent', 'dead', 'merged')", name=op.f("ck_notification_state")),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
    )
    op.create_index("ix_notification_state_next_attempt_at", "notification", ["state", "next_attempt_at"])


def downgrade() -> None:
    """Drop every table, those that point at others first."""
    for table in reversed(_TABLES):
        op.drop_table(table)
