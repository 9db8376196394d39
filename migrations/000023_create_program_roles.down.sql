-- The roles stay: they belong to the server.
DO $$
DECLARE
    isolated regclass;
BEGIN
    FOR isolated IN SELECT polrelid::regclass FROM pg_policy WHERE polname = 'all_tenants' LOOP
        EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', isolated);
        EXECUTE format('DROP POLICY all_tenants ON %s', isolated);
    END LOOP;
END
$$;
ALTER POLICY invited ON users WITH CHECK (email_confirmed_at IS NULL);
ALTER POLICY confirmation ON email_deliveries WITH CHECK (event_type = 'address_confirmation' AND order_id IS NULL);
DROP FUNCTION require_all_tenants();
DROP FUNCTION drop_event_record_partition(text);
ALTER FUNCTION ensure_event_record_partitions(date, date) SECURITY INVOKER RESET ALL;
GRANT EXECUTE ON FUNCTION ensure_event_record_partitions(date, date) TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM orderbell_reader, orderbell_operator;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM orderbell_order_api, orderbell_user_api, orderbell_sse_gateway, orderbell_outbox_relay,
    orderbell_functions, orderbell_delivery_sweeper, orderbell_operator, orderbell_reader;
REVOKE ALL ON FUNCTION ensure_event_record_partitions(date, date) FROM orderbell_functions, orderbell_delivery_sweeper;
REVOKE ALL (sent_at) ON outbox FROM orderbell_outbox_relay, orderbell_delivery_sweeper;
REVOKE ALL (tenant_id, status, next_attempt_at) ON email_deliveries FROM orderbell_outbox_relay;
REVOKE ALL (created_at) ON idempotency_keys FROM orderbell_delivery_sweeper;
REVOKE ALL (expires_at) ON optouts FROM orderbell_delivery_sweeper;
