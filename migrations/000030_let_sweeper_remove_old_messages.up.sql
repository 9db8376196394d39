-- delivery-sweeper removes notifications and finished mails that are old. The rows lie in the order of their creation, so that a
-- block range index finds the old ones, and costs an event next to nothing.
CREATE INDEX notifications_created_brin ON notifications USING brin (created_at);
CREATE INDEX email_deliveries_created_brin ON email_deliveries USING brin (created_at);
GRANT SELECT (id, created_at), DELETE ON notifications TO orderbell_delivery_sweeper;
GRANT DELETE ON email_deliveries TO orderbell_delivery_sweeper;
