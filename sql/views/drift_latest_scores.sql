-- The newest window's score of every feature: the view for a table of what is wrong now.
--
-- monitor            name of the monitor
-- feature            name of the feature
-- window_start       first instant of the monitor's newest evaluated window, UTC
-- window_end         first instant after it, UTC
-- status             ok, warning, critical, insufficient_data, not_comparable, error
-- severity           what this window alone says, before persistence
-- reason             why, in words
-- kl                 D(current||reference), nats; null where there is no score
-- direction, unit    always 'current||reference' and 'nats'
-- ci_low, ci_high    95 % confidence interval, nats
-- warning, critical  thresholds in force, nats
-- role, weight       what the feature is to the model; its importance beside the others'
-- n_reference        rows of the reference
-- n_current          rows of the window
CREATE VIEW drift_latest_scores AS
SELECT
    score.monitor,
    score.feature,
    score.window_start,
    score.window_end,
    score.status,
    score.severity,
    score.reason,
    score.kl,
    'current||reference' AS direction,
    'nats' AS unit,
    score.ci_low,
    score.ci_high,
    score.warning,
    score.critical,
    score.role,
    score.weight,
    score.n_reference,
    score.n_current
FROM score
INNER JOIN (
    SELECT monitor, MAX(window_start) AS window_start
    FROM report
    WHERE segment = ''
    GROUP BY monitor
) AS newest
    ON newest.monitor = score.monitor
    AND newest.window_start = score.window_start
WHERE score.segment = '';
