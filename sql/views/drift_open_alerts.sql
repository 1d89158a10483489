-- Alerts that are not resolved.
--
-- id               sixteen hexadecimal digits: what `drift alerts show` takes
-- monitor          name of the monitor
-- alert_key        what it is about: drift:<feature>, table, gate, rows, volume:fewer, volume:more,
--                  schema:<column>, not_judged, run
-- kind             drift, table, data_quality, missing_data, schema, not_judged, run
-- feature          the feature or column; null where the whole window is meant
-- state            open or acknowledged
-- severity         of the newest window that was not quiet: warning, critical
-- worst            the highest severity it ever had
-- reason           why, in words
-- opened_window    start of the window that opened it, UTC
-- last_window      start of the newest window that counted for it, UTC
-- windows          how many windows asked for it
-- opened_at        when it was opened, UTC
-- last_seen_at     when it was last evaluated, UTC
-- acknowledged_at  when somebody took it, UTC
-- acknowledged_by  who
-- snoozed_until    until when nobody is notified of it unless it becomes worse, UTC
-- notified         the severity that people were last notified of; none where nobody was
-- suppressed_by    why nobody was notified of the present state; empty where people were
-- incident         the incident it is part of: the id of the alert that began it
CREATE VIEW drift_open_alerts AS
SELECT
    id,
    monitor,
    key AS alert_key,
    kind,
    feature,
    state,
    severity,
    worst,
    reason,
    opened_window,
    last_window,
    windows,
    opened_at,
    last_seen_at,
    acknowledged_at,
    acknowledged_by,
    snoozed_until,
    notified,
    suppressed_by,
    incident
FROM alert
WHERE state <> 'resolved';
