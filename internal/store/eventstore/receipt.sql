-- Returns the result of an earlier delivery of an event.
-- $1 event_day, $2 source, $3 event_id, $4 type, $5 data_hash, $6 occurred_at
SELECT type = $4 AND data_hash = $5 AND occurred_at = $6 AS same,
    ARRAY(SELECT user_id::text FROM notifications WHERE event_source = $2 AND event_id = $3 ORDER BY user_id) AS user_ids,
    ARRAY(SELECT id::text FROM notifications WHERE event_source = $2 AND event_id = $3 ORDER BY user_id) AS notification_ids,
    (SELECT count(*) FROM email_deliveries WHERE event_source = $2 AND event_id = $3 AND status = 'due' AND next_attempt_at <= now()) AS due_mails
FROM event_records WHERE event_day = $1 AND source = $2 AND event_id = $3
