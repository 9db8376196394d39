REVOKE DELETE ON email_deliveries FROM orderbell_delivery_sweeper;
REVOKE SELECT (id, created_at), DELETE ON notifications FROM orderbell_delivery_sweeper;
DROP INDEX email_deliveries_created_brin;
DROP INDEX notifications_created_brin;
