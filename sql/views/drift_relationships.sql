-- Every pair of columns that did not go together as it did, in every window: though no histogram need have changed.
--
-- monitor                      name of the monitor
-- window_start                 first instant of the window, UTC
-- window_end                   first instant after it, UTC
-- first_column, second_column  the pair
-- named                        which of the two no longer goes with the others
-- severity                     warning or critical: of the alert that it opens if it lasts
-- lasting                      whether it lasts: whether an alert was opened or went on
-- kl                           D(p||q*) of the pairing alone, apart from both histograms, in nats
-- kl_corrected                 bias-corrected estimate, nats
-- ci_low, ci_high              95 % confidence interval, nats
-- p, q                         calibrated p-value; smallest false-discovery rate at which it would be called
-- z                            robust standard deviations beyond the pair's own history
-- mixed                        share of the rows paired as if at random
-- before, after                mutual information in the reference, and in the window, nats
CREATE VIEW drift_relationships AS
SELECT
    relationship.monitor,
    relationship.window_start,
    report.window_end,
    relationship.first_column,
    relationship.second_column,
    relationship.named,
    relationship.severity,
    relationship.lasting,
    relationship.kl,
    relationship.kl_corrected,
    relationship.ci_low,
    relationship.ci_high,
    relationship.p,
    relationship.q,
    relationship.z,
    relationship.mixed,
    relationship.before,
    relationship.after
FROM relationship
INNER JOIN report
    ON report.monitor = relationship.monitor
    AND report.segment = relationship.segment
    AND report.window_start = relationship.window_start
WHERE relationship.segment = '';
