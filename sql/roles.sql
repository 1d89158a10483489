-- Least privilege on PostgreSQL: three roles without a login. Run it as the owner of the tables, after
-- `drift db upgrade`, once for each database; doing it twice changes nothing:
--
--     psql --set ON_ERROR_STOP=1 --dbname drift --file roles.sql
--
-- Then give each program a login of its own that is a member of one of them:
--
--     CREATE ROLE airflow_tasks LOGIN PASSWORD '…' IN ROLE drift_writer;
--     CREATE ROLE grafana       LOGIN PASSWORD '…' IN ROLE drift_reader;
--     CREATE ROLE drift_web     LOGIN PASSWORD '…' IN ROLE drift_dashboard;
--
-- drift_writer     runs monitors, sends notifications, prunes: reads and writes rows, changes no table
-- drift_reader     reads tables and views: Grafana, notebooks, `drift dashboard --read-only`, /metrics
-- drift_dashboard  reads, and writes what people answer: acknowledge, snooze, resolve, mute, try again
--
-- The owner alone migrates. What a later migration creates is granted by the default privileges at the end, for the
-- writer and the reader; run this file again for the dashboard.

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['drift_writer', 'drift_reader', 'drift_dashboard'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), role);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO %I', current_schema(), role);
    END LOOP;
    -- Nobody but the owner creates anything beside the tables.
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
END
$$;

GRANT INSERT, UPDATE, DELETE ON
    monitor_version, binning, baseline, gate, validation, profile, histogram, pair_counts, run, report, measured, relationship,
    score, alert, alert_event, silence, mark, notification
TO drift_writer;

DO $$
BEGIN
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT INSERT, UPDATE, DELETE ON TABLES TO drift_writer', current_schema()
    );
END
$$;
-- The revision belongs to the owner.
REVOKE INSERT, UPDATE, DELETE ON drift_alembic_version FROM drift_writer;

-- An answer changes an alert and adds a line to its diary, which nobody can change or take away afterwards.
GRANT INSERT, UPDATE ON alert TO drift_dashboard;
GRANT INSERT ON alert_event TO drift_dashboard;
-- A silence is written once; only its end is added.
GRANT INSERT, UPDATE (ended_at, ended_by, ended_reason) ON silence TO drift_dashboard;
-- A mark is written once.
GRANT INSERT ON mark TO drift_dashboard;
-- What was given up is tried again; what it says, and to whom, stays.
GRANT UPDATE (state, attempts, next_attempt_at, tried_at) ON notification TO drift_dashboard;
