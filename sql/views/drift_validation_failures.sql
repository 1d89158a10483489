-- Expectations that were not met, or could not be evaluated.
--
-- monitor         name of the monitor
-- window_start    first instant of the window, UTC
-- window_end      first instant after it, UTC
-- decision        what became of the window: accepted, warned, rejected
-- expectation     name of the expectation, as Great Expectations spells it
-- column_name     the column it is about; null where the table is meant
-- severity        what its failure does: reject or warn
-- could_not_run   1 where it could not be evaluated at all, 0 where it was not met
-- message         what was seen and what was asked, in words
-- observed        what was observed, as JSON text
CREATE VIEW drift_validation_failures AS
SELECT
    validation.monitor,
    validation.window_start,
    gate.window_end,
    gate.decision,
    validation.expectation,
    validation.column_name,
    validation.severity,
    CASE WHEN validation.error THEN 1 ELSE 0 END AS could_not_run,
    validation.message,
    validation.observed
FROM validation
INNER JOIN gate
    ON gate.monitor = validation.monitor
    AND gate.window_start = validation.window_start
WHERE NOT validation.success;
