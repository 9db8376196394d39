-- Each program logs in with a role of its own that may do what the program does, and no more (docs/adr/0013). The roles are
-- made here without a login; `orderbell migrate` gives them one where DATABASE_ROLES has a password for them. The owner of
-- the tables is for migrations.
--
-- orderbell_all sees the rows of all tenants, by a policy on each table. The roles of order-api, user-api and sse-gateway
-- see none: they may take orderbell_api, which sees those of one tenant. orderbell_operator may do both, and inherits neither.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['orderbell_all', 'orderbell_order_api', 'orderbell_user_api', 'orderbell_sse_gateway',
        'orderbell_outbox_relay', 'orderbell_functions', 'orderbell_delivery_sweeper', 'orderbell_operator', 'orderbell_reader']
    LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- roles belong to the server: another database has made it
        END;
    END LOOP;
END
$$;

-- Membership belongs to the server too, so it is given only where it is missing: two databases may be migrated at once.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['orderbell_order_api', 'orderbell_user_api', 'orderbell_sse_gateway', 'orderbell_operator'] LOOP
        IF NOT pg_has_role(name, 'orderbell_api', 'MEMBER') THEN
            EXECUTE format('ALTER ROLE %I NOINHERIT', name); -- nothing without taking orderbell_api
            EXECUTE format('GRANT orderbell_api TO %I', name);
        END IF;
    END LOOP;
    FOREACH name IN ARRAY ARRAY['orderbell_outbox_relay', 'orderbell_functions', 'orderbell_delivery_sweeper', 'orderbell_reader'] LOOP
        IF NOT pg_has_role(name, 'orderbell_all', 'MEMBER') THEN
            EXECUTE format('GRANT orderbell_all TO %I', name);
        END IF;
    END LOOP;
    -- An owner that is no superuser goes on seeing all rows, for the programs of the release before this one, which log in as
    -- the owner. When none does any more: REVOKE orderbell_all FROM the owner.
    IF NOT pg_has_role(current_user, 'orderbell_all', 'USAGE') THEN
        GRANT orderbell_all TO CURRENT_USER;
    END IF;
END
$$;

GRANT SELECT ON schema_migrations TO orderbell_order_api, orderbell_user_api, orderbell_sse_gateway, orderbell_outbox_relay,
    orderbell_functions, orderbell_delivery_sweeper, orderbell_operator, orderbell_reader;

-- outbox-relay: unsent events, and for its metrics due mails and the last verdict.
GRANT SELECT, UPDATE (sent_at) ON outbox TO orderbell_outbox_relay;
GRANT SELECT (tenant_id, status, next_attempt_at) ON email_deliveries TO orderbell_outbox_relay;
GRANT SELECT ON verdicts TO orderbell_outbox_relay;

-- order-created, order-paid, order-status-updated: event records, notifications and mails.
GRANT SELECT, INSERT ON event_records, notifications TO orderbell_functions;
GRANT SELECT, INSERT, UPDATE ON email_deliveries, mail_hours TO orderbell_functions, orderbell_delivery_sweeper;
GRANT SELECT, INSERT, UPDATE, DELETE ON confirmation_mails TO orderbell_functions, orderbell_delivery_sweeper;
GRANT SELECT, INSERT ON mail_suppressions TO orderbell_functions, orderbell_delivery_sweeper;
GRANT SELECT ON tenants, users, tenant_limits TO orderbell_functions, orderbell_delivery_sweeper;
GRANT SELECT ON event_sources TO orderbell_functions;

-- delivery-sweeper: the same mails, and old rows. FOR UPDATE needs UPDATE of a column.
GRANT SELECT, UPDATE (sent_at), DELETE ON outbox TO orderbell_delivery_sweeper;
GRANT SELECT, UPDATE (created_at), DELETE ON idempotency_keys TO orderbell_delivery_sweeper;
GRANT SELECT, UPDATE (expires_at), DELETE ON optouts TO orderbell_delivery_sweeper;

-- orderbell verify, explain and status read; verify keeps its verdict.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO orderbell_reader, orderbell_operator;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO orderbell_reader, orderbell_operator;
GRANT INSERT, DELETE ON verdicts TO orderbell_reader, orderbell_operator;

-- The other commands.
GRANT INSERT, UPDATE, DELETE ON tenants, users, tenant_limits, event_sources TO orderbell_operator;
GRANT INSERT ON audit_records TO orderbell_operator;

-- Partitions are their owner's to make and to drop.
ALTER FUNCTION ensure_event_record_partitions(date, date) SECURITY DEFINER SET search_path FROM CURRENT;
CREATE FUNCTION drop_event_record_partition(partition_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'event_records'::regclass AND c.relname = partition_name) THEN
        RETURN; -- another sweeper was faster
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', partition_name);
END
$$;
REVOKE EXECUTE ON FUNCTION ensure_event_record_partitions(date, date), drop_event_record_partition(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_event_record_partitions(date, date) TO orderbell_functions, orderbell_delivery_sweeper;
GRANT EXECUTE ON FUNCTION drop_event_record_partition(text) TO orderbell_delivery_sweeper;

-- Fails where row-level security would hide rows, instead of letting a statement answer as if they were not there.
CREATE FUNCTION require_all_tenants() RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT (pg_has_role(current_user, 'orderbell_all', 'USAGE') OR pg_has_role(current_user, 'orderbell_operator', 'USAGE')
        OR (SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user)) THEN
        RAISE insufficient_privilege USING MESSAGE = 'role ' || current_user || ' does not see the rows of all tenants';
    END IF;
END
$$;

-- What restricts the APIs must not restrict who is a member of their role: operators, and an owner that is no superuser.
ALTER POLICY invited ON users WITH CHECK (current_user <> 'orderbell_api' OR email_confirmed_at IS NULL);
ALTER POLICY confirmation ON email_deliveries
    WITH CHECK (current_user <> 'orderbell_api' OR (event_type = 'address_confirmation' AND order_id IS NULL));

-- Policies hold for the owner too: one that is no member of orderbell_all sees nothing.
DO $$
DECLARE
    isolated regclass;
BEGIN
    FOR isolated IN SELECT oid::regclass FROM pg_class
        WHERE relnamespace = current_schema::regnamespace AND relrowsecurity AND relkind IN ('r', 'p') AND NOT relispartition
    LOOP
        EXECUTE format('CREATE POLICY all_tenants ON %s TO orderbell_all, orderbell_operator USING (true)', isolated);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', isolated);
    END LOOP;
END
$$;
