-- Every score of every feature in every window: the view for charts.
--
-- monitor              name of the monitor
-- feature              name of the feature
-- window_start         first instant of the window, UTC
-- window_end           first instant after it, UTC
-- status               ok, warning, critical, or why there is no answer: insufficient_data, not_comparable, error
-- severity             what this window alone says, before persistence: none, warning, critical
-- reason               why, in words
-- kl                   D(current||reference) of the smoothed shares, in nats; null where there is no score
-- direction, unit      what kl and its kin are: always 'current||reference' and 'nats'
-- kl_fixed             the same divergence from the fixed baseline's own windows, which nothing later adapts, nats
-- kl_corrected         bias-corrected estimate, nats; may be slightly negative
-- ci_low, ci_high      95 % confidence interval of the divergence, nats
-- noise                what kl averages when nothing changed, for these numbers of rows
-- warning, critical    thresholds in force, on the scale of the effect
-- scale                measure and unit of the effect: kl (nats), psi, mean %, wasserstein sd, ...
-- size                 how large the difference is on that scale
-- kl_reverse           D(reference||current), nats
-- psi                  population stability index: kl + kl_reverse
-- js                   Jensen-Shannon divergence, nats, at most ln 2
-- p, q                 calibrated p-value; smallest false-discovery rate at which it would be called
-- z                    robust standard deviations beyond the feature's own history; null where that is too short
-- n_reference          rows of the reference
-- n_current            rows of the window
-- null_rate_reference  share of missing values in the reference
-- null_rate_current    share of missing values in the window
-- wasserstein          Wasserstein-1 distance in the feature's own unit; seconds for times, days for dates
-- role                 what the feature is to the model: input, prediction, label
-- weight               its importance beside the other features'
-- smoothing            how zero counts were smoothed
-- fingerprint          which binning the counts were made with (table binning)
-- reference            the reference in words: the score's own, or the report's
CREATE VIEW drift_scores AS
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
    score.kl_fixed,
    score.kl_corrected,
    score.ci_low,
    score.ci_high,
    score.noise,
    score.warning,
    score.critical,
    score.scale,
    score.size,
    score.kl_reverse,
    score.psi,
    score.js,
    score.p,
    score.q,
    score.z,
    score.n_reference,
    score.n_current,
    score.null_rate_reference,
    score.null_rate_current,
    score.wasserstein,
    score.role,
    score.weight,
    score.smoothing,
    score.fingerprint,
    COALESCE(NULLIF(score.reference, ''), report.reference) AS reference
FROM score
INNER JOIN report
    ON report.monitor = score.monitor
    AND report.segment = score.segment
    AND report.window_start = score.window_start
WHERE score.segment = '';
