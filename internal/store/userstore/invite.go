package userstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

// Invite creates p, with a new id if it has none, and returns it as stored. The address is not confirmed; the
// confirmation mail becomes due in the same transaction. Errors: [user.ErrEmailTaken], [user.ErrNoTenant],
// *[user.LimitError].
func (s *Store) Invite(ctx context.Context, p user.User, terms user.InvitationTerms, by user.Act) (made user.User, err error) {
	args, err := insertion(p)
	if err != nil {
		return user.User{}, err
	}
	const invite = `WITH given AS (SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text[], $6::boolean, $7::boolean, $8::text[], $9::text[], $10::text, $11::text)
		INSERT INTO users (id, tenant_id, email, name, roles, notification_email_enabled, notification_in_app_enabled,
			notification_email_events, notification_in_app_events, time_zone, quiet_hours, email_confirmed_at)
		SELECT *, NULL::timestamptz FROM given RETURNING ` + columns
	err = database.InTenant(ctx, s.pool, p.TenantID, func(tx pgx.Tx) error {
		if err := mayInvite(ctx, tx, p.TenantID, 1, terms); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, invite, args...)
		if err != nil {
			return err
		}
		if made, err = pgx.CollectExactlyOneRow(rows, scan); err != nil {
			return err
		}
		if made, err = askForConfirmation(ctx, tx, made, terms); err != nil {
			return err
		}
		return addRecord(ctx, tx, record(by, p.TenantID, "user.invited", made.ID, fmt.Sprintf("address %s, roles %v", made.Email, made.Roles)))
	})
	return made, outcome("create user", err)
}

// oneAtATime waits until no other transaction adds a user of the tenant or changes an address. A transaction that changes an address calls
// it first, so that two do not wait for each other.
func oneAtATime(ctx context.Context, tx pgx.Tx, tenantID string) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('users of ' || $1))`, tenantID)
	return err
}

// mayInvite refuses more users than the tenant may have, and more whose address is not confirmed. Users that are being
// added count; a user whose address has changed exists already.
func mayInvite(ctx context.Context, tx pgx.Tx, tenantID string, added int64, terms user.InvitationTerms) error {
	const count = `SELECT count(*), count(*) FILTER (WHERE email_confirmed_at IS NULL),
			coalesce((SELECT max_users FROM tenant_limits WHERE tenant_id = $1), $2),
			coalesce((SELECT max_invitations FROM tenant_limits WHERE tenant_id = $1), $3)
		FROM users WHERE tenant_id = $1`
	if err := oneAtATime(ctx, tx, tenantID); err != nil {
		return err
	}
	var users, invited, most, mostInvited int64
	if err := tx.QueryRow(ctx, count, tenantID, terms.Limits.MaxUsers, terms.Limits.MaxInvitations).Scan(&users, &invited, &most, &mostInvited); err != nil {
		return err
	}
	switch {
	case users+added > most && added > 0:
		return &user.LimitError{Limit: user.MaxUsers, Max: most}
	case invited+added > mostInvited:
		return &user.LimitError{Limit: user.MaxInvitations, Max: mostInvited}
	}
	return nil
}

// askForConfirmation makes the confirmation mail due, and returns the updated user.
func askForConfirmation(ctx context.Context, tx pgx.Tx, p user.User, terms user.InvitationTerms) (user.User, error) {
	const asked = `UPDATE users SET invitation_expires_at = now() + $3::interval, confirmation_asked_at = now() WHERE tenant_id = $1 AND id = $2 RETURNING ` + columns
	const due = `INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, data, message_id)
		VALUES ($1::uuid, $2, $3, '/orderbell/user-api', $1::uuid, $4, '{}', $5)`
	id, err := uuid.NewV7()
	if err != nil {
		return user.User{}, fmt.Errorf("make a mail id: %w", err)
	}
	rows, err := tx.Query(ctx, asked, p.TenantID, p.ID, terms.Life)
	if err != nil {
		return user.User{}, err
	}
	if p, err = pgx.CollectExactlyOneRow(rows, scan); err != nil {
		return user.User{}, err
	}
	_, err = tx.Exec(ctx, due, id.String(), p.TenantID, p.ID, user.AddressConfirmation, id.String()+"@"+terms.MailDomain)
	return p, err
}

// InviteAgain makes another confirmation mail due, and returns the user. The invitation's lifetime begins again. Only
// SpareOwners and By of c are used. Errors: [user.ErrNotFound], [user.ErrOwner], [user.ErrConfirmed],
// *[user.TooSoonError], *[user.LimitError] where the tenant may not invite a user now.
func (s *Store) InviteAgain(ctx context.Context, tenantID, id string, c user.Change, terms user.InvitationTerms) (invited user.User, err error) {
	const state = `SELECT email_confirmed_at IS NOT NULL, coalesce(extract(epoch FROM confirmation_asked_at + $3::interval - now()), 0)::float8
		FROM users WHERE tenant_id = $1 AND id = $2`
	err = database.InTenant(ctx, s.pool, tenantID, func(tx pgx.Tx) error {
		if err := oneAtATime(ctx, tx, tenantID); err != nil {
			return err
		}
		if _, err := mayChange(ctx, tx, tenantID, id, c); err != nil {
			return err
		}
		var confirmed bool
		var wait float64
		if err := tx.QueryRow(ctx, state, tenantID, id, user.ConfirmationEvery).Scan(&confirmed, &wait); err != nil {
			return err
		}
		switch {
		case confirmed:
			return user.ErrConfirmed
		case wait > 0:
			return &user.TooSoonError{After: time.Duration(wait * float64(time.Second))}
		}
		if err := mayInvite(ctx, tx, tenantID, 0, terms); err != nil {
			return err
		}
		if invited, err = askForConfirmation(ctx, tx, user.User{TenantID: tenantID, ID: id}, terms); err != nil {
			return err
		}
		return addRecord(ctx, tx, record(c.By, tenantID, "user.invited", id, "again, address "+invited.Email))
	})
	return invited, outcome("invite user again", err)
}

const invitation = `SELECT u.email, t.name, t.locale, u.email_confirmed_at IS NOT NULL
	FROM users u JOIN tenants t ON t.id = u.tenant_id WHERE u.tenant_id = $1 AND u.id = $2`

// Invitation returns the invitation of the link and changes nothing. Errors: [user.ErrNotFound], also if the user now has another
// address.
func (s *Store) Invitation(ctx context.Context, c user.Confirmation) (user.Invitation, error) {
	found, err := database.CollectOne(ctx, s.pool, c.TenantID, pgx.RowToStructByPos[user.Invitation], invitation, c.TenantID, c.UserID)
	if err == nil && !c.IsAddress(found.Email) {
		return user.Invitation{}, user.ErrNotFound
	}
	return found, outcome("find invitation", err)
}

// Confirm confirms the address of the link. A confirmed address does not change. Errors: [user.ErrNotFound], also if the user now
// has another address.
func (s *Store) Confirm(ctx context.Context, c user.Confirmation, by user.Act) (confirmed user.Invitation, err error) {
	err = database.InTenant(ctx, s.pool, c.TenantID, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, invitation+` FOR NO KEY UPDATE OF u`, c.TenantID, c.UserID)
		if err != nil {
			return err
		}
		if confirmed, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[user.Invitation]); err != nil {
			return err
		}
		switch {
		case !c.IsAddress(confirmed.Email):
			return user.ErrNotFound
		case confirmed.Confirmed:
			return nil
		}
		confirmed.Confirmed = true
		const confirm = `UPDATE users SET email_confirmed_at = now(), invitation_expires_at = NULL, version = version + 1, updated_at = clock_timestamp()
			WHERE tenant_id = $1 AND id = $2`
		if _, err := tx.Exec(ctx, confirm, c.TenantID, c.UserID); err != nil {
			return err
		}
		return addRecord(ctx, tx, record(by, c.TenantID, "user.confirmed", c.UserID, "address "+confirmed.Email))
	})
	return confirmed, outcome("confirm address", err)
}

// ConfirmVerified confirms the user's address if it is the one that the identity provider has verified. It returns false, and
// changes nothing, if it is another one, or if there is nothing to confirm.
func (s *Store) ConfirmVerified(ctx context.Context, tenantID, id, verified string, by user.Act) (bool, error) {
	c := user.Confirmation{TenantID: tenantID, UserID: id, IsAddress: func(email string) bool { return strings.EqualFold(email, verified) }}
	found, err := s.Invitation(ctx, c)
	if errors.Is(err, user.ErrNotFound) || err == nil && found.Confirmed {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = s.Confirm(ctx, c, by)
	return err == nil, err
}

// ForgetConfirmationMails removes at most limit notes of confirmation mails that were sent before then, and returns how many it
// removed.
func (s *Store) ForgetConfirmationMails(ctx context.Context, before time.Time, limit int) (int64, error) {
	const sql = `DELETE FROM confirmation_mails WHERE address IN (SELECT address FROM confirmation_mails WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
	tag, err := s.pool.Exec(ctx, sql, before, limit)
	return tag.RowsAffected(), database.Wrap("forget confirmation mails", err)
}
