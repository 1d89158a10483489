-- One row for each evaluated window of each monitor: the view for a calendar.
--
-- monitor         name of the monitor
-- window_start    first instant of the window, UTC
-- window_end      first instant after it, UTC
-- label           the window as its readers would name it: a local date or time
-- status          worst status among its features
-- rule            why that is its status, in words
-- gate            what Great Expectations said: accepted, warned, rejected, not_validated
-- n_current       rows of the window
-- n_reference     rows of its reference
-- n_features      features watched
-- n_judged        features that were judged: ok, warning or critical
-- n_drifting      features with status warning or critical
-- share_drifting  n_drifting / n_judged; null where nothing was judged
-- total_kl        sum of the features' kl, nats
-- reference       the reference in words
-- run_status      how the last run for this window ended; null where none is recorded
-- started_at      when that run began, UTC
-- finished_at     when it ended, UTC
-- run_url         where its log is
CREATE VIEW drift_windows AS
SELECT
    report.monitor,
    report.window_start,
    report.window_end,
    report.label,
    report.status,
    report.rule,
    report.gate,
    report.n_current,
    report.n_reference,
    report.n_features,
    report.n_judged,
    report.n_drifting,
    CASE
        WHEN report.n_judged > 0 THEN CAST(report.n_drifting AS DOUBLE PRECISION) / report.n_judged
    END AS share_drifting,
    report.total_kl,
    report.reference,
    run.status AS run_status,
    run.started_at,
    run.finished_at,
    run.url AS run_url
FROM report
LEFT OUTER JOIN run
    ON run.monitor = report.monitor
    AND run.window_start = report.window_start
WHERE report.segment = '';
