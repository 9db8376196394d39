-- Counts refusals of the tenant $1. Refusals without a row for the day get a new one while the tenant has fewer than $2 rows; the
-- others are counted in one row per action.
WITH given AS (
    SELECT action, actor, address, left(detail, 100) AS detail, times
    FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]) AS g (action, actor, address, detail, times)
), today AS (
    SELECT (now() AT TIME ZONE 'UTC')::date AS day
), judged AS (
    SELECT given.*, known.tenant_id IS NOT NULL AS known,
        row_number() OVER (PARTITION BY known.tenant_id IS NULL) AS nth
    FROM given CROSS JOIN today LEFT JOIN refusals known
        ON known.tenant_id = $1 AND known.day = today.day AND known.action = given.action AND known.actor = given.actor
            AND known.address = given.address AND known.detail = given.detail
), placed AS (
    SELECT action, times, known OR nth <= $2::bigint - (SELECT count(*) FROM refusals r, today WHERE r.tenant_id = $1 AND r.day = today.day) AS own,
        actor, address, detail
    FROM judged
)
INSERT INTO refusals AS r (tenant_id, day, action, actor, address, detail, times)
SELECT $1, today.day, action, CASE WHEN own THEN actor ELSE '' END, CASE WHEN own THEN address ELSE '' END,
    CASE WHEN own THEN detail ELSE 'others' END, sum(times)
FROM placed, today
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 3, 4, 5, 6 -- every process locks in the same order
ON CONFLICT (tenant_id, day, action, actor, address, detail) DO UPDATE SET times = r.times + excluded.times, last_at = clock_timestamp()
