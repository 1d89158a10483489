-- Notifications that are pending or were given up.
--
-- id               its idempotency key
-- monitor          name of the monitor
-- route            the route of the monitor's file it goes to
-- title            its heading
-- state            pending or dead
-- attempts         how often it was tried
-- next_attempt_at  when it is due, or how long the present sender may take, UTC
-- not_before       end of the quiet hours it waits for, UTC; null where it does not
-- last_error       why it was not delivered
-- created_at       when it was written, UTC
CREATE VIEW drift_outbox AS
SELECT
    id,
    monitor,
    route,
    title,
    state,
    attempts,
    next_attempt_at,
    not_before,
    last_error,
    created_at
FROM notification
WHERE state IN ('pending', 'dead');
