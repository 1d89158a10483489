-- One row a monitor: is it watched, and is all well?
--
-- monitor           name of the monitor
-- windows           windows evaluated so far
-- last_window       start of the newest evaluated window, UTC; null where there is none
-- last_status       worst status among its features
-- last_gate         what Great Expectations said of it
-- last_n_drifting   its features with status warning or critical
-- last_run_window   start of the newest window that a run was recorded for, UTC
-- last_run_status   how that run ended; 'running' while it has not; 'error' where it failed
-- last_run_error    why it failed
-- last_finished_at  when it ended, UTC
-- open_alerts       alerts that nobody has acknowledged
-- live_alerts       alerts that are not resolved: open or acknowledged
CREATE VIEW drift_monitor_health AS
SELECT
    names.monitor,
    COALESCE(evaluated.windows, 0) AS windows,
    evaluated.last_window,
    report.status AS last_status,
    report.gate AS last_gate,
    report.n_drifting AS last_n_drifting,
    started.last_run_window,
    run.status AS last_run_status,
    run.error AS last_run_error,
    run.finished_at AS last_finished_at,
    COALESCE(live.open_alerts, 0) AS open_alerts,
    COALESCE(live.live_alerts, 0) AS live_alerts
FROM (SELECT DISTINCT monitor FROM monitor_version) AS names
LEFT OUTER JOIN (
    SELECT monitor, COUNT(*) AS windows, MAX(window_start) AS last_window
    FROM report
    WHERE segment = ''
    GROUP BY monitor
) AS evaluated
    ON evaluated.monitor = names.monitor
LEFT OUTER JOIN report
    ON report.monitor = names.monitor
    AND report.segment = ''
    AND report.window_start = evaluated.last_window
LEFT OUTER JOIN (
    SELECT monitor, MAX(window_start) AS last_run_window
    FROM run
    GROUP BY monitor
) AS started
    ON started.monitor = names.monitor
LEFT OUTER JOIN run
    ON run.monitor = names.monitor
    AND run.window_start = started.last_run_window
LEFT OUTER JOIN (
    SELECT
        monitor,
        SUM(CASE WHEN state = 'open' THEN 1 ELSE 0 END) AS open_alerts,
        COUNT(*) AS live_alerts
    FROM alert
    WHERE state <> 'resolved'
    GROUP BY monitor
) AS live
    ON live.monitor = names.monitor;
