-- The coarse part of the rule of internal/address: a dot-atom and a domain of two labels or more, all ASCII.
CREATE FUNCTION is_mail_address(address text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN length(address) <= 254 AND position('@' IN address) <= 65 AND address ~
    '^[A-Za-z0-9!#$%&''*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&''*+/=?^_`{|}~-]+)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$';

-- A trigger and no constraint: users whose address is older than the rule can still change everything else.
CREATE FUNCTION check_mail_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE check_violation USING MESSAGE = 'the address of user ' || NEW.id || ' cannot be mailed', CONSTRAINT = 'users_email_mailable';
END
$$;

CREATE TRIGGER users_email_mailable_insert BEFORE INSERT ON users
    FOR EACH ROW WHEN (NOT is_mail_address(NEW.email)) EXECUTE FUNCTION check_mail_address();
CREATE TRIGGER users_email_mailable_update BEFORE UPDATE ON users
    FOR EACH ROW WHEN (NEW.email IS DISTINCT FROM OLD.email AND NOT is_mail_address(NEW.email)) EXECUTE FUNCTION check_mail_address();
