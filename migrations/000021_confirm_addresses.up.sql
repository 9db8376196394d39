-- A user gets no mail of orders before the address is confirmed. An address that the operator writes, or that was there
-- before this migration, counts as confirmed: the operator vouches for it. What the APIs write does not, see below.
ALTER TABLE users
    ADD COLUMN email_confirmed_at    timestamptz DEFAULT now(), -- NULL: not confirmed
    ADD COLUMN invitation_expires_at timestamptz, -- the end of the link that confirms the address, while it is not confirmed
    ADD COLUMN confirmation_asked_at timestamptz; -- when the last mail with such a link was asked for

CREATE INDEX users_unconfirmed_idx ON users (tenant_id) WHERE email_confirmed_at IS NULL;

-- Whoever changes an address: the new one is not confirmed.
CREATE FUNCTION forget_confirmation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.email_confirmed_at := NULL;
    NEW.invitation_expires_at := CASE WHEN NEW.invitation_expires_at IS DISTINCT FROM OLD.invitation_expires_at THEN NEW.invitation_expires_at END;
    RETURN NEW;
END
$$;
CREATE TRIGGER users_email_unconfirmed BEFORE UPDATE ON users
    FOR EACH ROW WHEN (lower(NEW.email) IS DISTINCT FROM lower(OLD.email)) EXECUTE FUNCTION forget_confirmation();

-- The APIs create users whose address is not confirmed, and no others.
CREATE POLICY invited ON users AS RESTRICTIVE FOR INSERT TO orderbell_api WITH CHECK (email_confirmed_at IS NULL);

-- The mail that asks for a confirmation is a mail like others, of no order.
ALTER TABLE email_deliveries ALTER COLUMN order_id DROP NOT NULL;
GRANT INSERT (id, tenant_id, user_id, event_source, event_id, event_type, data, message_id) ON email_deliveries TO orderbell_api;
CREATE POLICY confirmation ON email_deliveries AS RESTRICTIVE FOR INSERT TO orderbell_api
    WITH CHECK (event_type = 'address_confirmation' AND order_id IS NULL);

-- The last confirmation mail to each address, over all tenants: an address gets one a day. It is for the senders alone.
CREATE TABLE confirmation_mails (
    address     text PRIMARY KEY CHECK (address = lower(address)),
    tenant_id   text NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    delivery_id uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX confirmation_mails_tenant_idx ON confirmation_mails (tenant_id, at);
