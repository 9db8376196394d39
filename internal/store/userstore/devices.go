package userstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

const deviceColumns = `d.id::text, d.tenant_id, d.name, d.role, d.paired_at, coalesce(u.name, ''),
	coalesce(d.connected_since, '0001-01-01T00:00:00Z'), coalesce(d.last_seen_at, '0001-01-01T00:00:00Z')`

const deviceTables = ` FROM devices d LEFT JOIN users u ON u.tenant_id = d.tenant_id AND u.id = d.paired_by `

func scanDevice(row pgx.CollectableRow) (user.Device, error) {
	var d user.Device
	err := row.Scan(&d.ID, &d.TenantID, &d.Name, &d.Role, &d.PairedAt, &d.PairedBy, &d.ConnectedSince, &d.LastSeen)
	for _, t := range []*time.Time{&d.PairedAt, &d.ConnectedSince, &d.LastSeen} {
		*t = t.UTC()
	}
	return d, err
}

// BeginPairing keeps a code that a till shows. The error is [user.ErrManyCodes] if too many tills wait.
func (s *Store) BeginPairing(ctx context.Context, code, secretHash string) error {
	const forget = `DELETE FROM device_pairings WHERE expires_at < now()`
	const begin = `INSERT INTO device_pairings (user_code, secret_hash, expires_at)
		SELECT $1, decode($2, 'hex'), now() + $3::interval WHERE (SELECT count(*) FROM device_pairings) < $4`
	if _, err := s.pool.Exec(ctx, forget); err != nil {
		return database.Wrap("forget pairings", err)
	}
	done, err := s.pool.Exec(ctx, begin, code, secretHash, user.PairingLife, user.MaxPairings)
	if err == nil && done.RowsAffected() == 0 {
		return user.ErrManyCodes
	}
	return database.Wrap("begin pairing", err)
}

// Pairing returns the state of a till's pairing, or [user.ErrNoCode].
func (s *Store) Pairing(ctx context.Context, secretHash string) (user.Pairing, error) {
	const find = `SELECT expires_at, coalesce(tenant_id, ''), coalesce(device_id::text, '') FROM device_pairings
		WHERE secret_hash = decode($1, 'hex') AND expires_at > now()`
	var p user.Pairing
	var tenantID, deviceID string
	err := s.pool.QueryRow(ctx, find, secretHash).Scan(&p.Expires, &tenantID, &deviceID)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, user.ErrNoCode
	}
	if err != nil || deviceID == "" {
		return p, database.Wrap("find pairing", err)
	}
	device, err := s.device(ctx, tenantID, deviceID)
	if errors.Is(err, user.ErrNotFound) { // revoked before the till asked
		return p, user.ErrNoCode
	}
	if err != nil {
		return p, err
	}
	tenant, err := s.Tenant(ctx, tenantID)
	p.Device, p.TenantName = &device, tenant.Name
	return p, err
}

func (s *Store) device(ctx context.Context, tenantID, id string) (user.Device, error) {
	const byID = `SELECT ` + deviceColumns + deviceTables + `WHERE d.tenant_id = $1 AND d.id = $2 AND d.revoked_at IS NULL`
	d, err := database.CollectOne(ctx, s.pool, tenantID, scanDevice, byID, tenantID, id)
	return d, outcome("find device", err)
}

// Pair makes the till that shows the code a device of the tenant, and returns it as stored. Errors: [user.ErrNoCode],
// [user.ErrDeviceName], *[user.LimitError] of most devices unless the tenant's own limit says otherwise.
func (s *Store) Pair(ctx context.Context, d user.Device, code string, most int64, by user.Act, userID string) (user.Device, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return d, fmt.Errorf("make a device id: %w", err)
	}
	d.ID = id.String()
	const find = `SELECT secret_hash FROM device_pairings WHERE user_code = $1 AND device_id IS NULL AND expires_at > now()`
	var hash []byte
	if err := s.pool.QueryRow(ctx, find, code).Scan(&hash); errors.Is(err, pgx.ErrNoRows) {
		return d, user.ErrNoCode
	} else if err != nil {
		return d, database.Wrap("find pairing", err)
	}
	if err := s.addDevice(ctx, d, hash, most, by, userID); err != nil {
		return d, err
	}
	// The code belongs to no tenant, so this is another transaction. The till polls until it is done.
	const approve = `UPDATE device_pairings SET tenant_id = $2, device_id = $3 WHERE user_code = $1`
	if _, err := s.pool.Exec(ctx, approve, code, d.TenantID, d.ID); err != nil {
		_, revokeErr := s.RevokeDevice(context.WithoutCancel(ctx), d.TenantID, d.ID, by)
		return d, errors.Join(database.Wrap("approve pairing", err), revokeErr)
	}
	return s.device(ctx, d.TenantID, d.ID)
}

func (s *Store) addDevice(ctx context.Context, d user.Device, hash []byte, most int64, by user.Act, userID string) error {
	const count = `SELECT count(*), coalesce((SELECT max_devices FROM tenant_limits WHERE tenant_id = $1), $2)
		FROM devices WHERE tenant_id = $1 AND revoked_at IS NULL`
	const insert = `INSERT INTO devices (id, tenant_id, name, role, secret_hash, paired_by) VALUES ($1, $2, $3, $4, $5, nullif($6, '')::uuid)`
	err := database.InTenant(ctx, s.pool, d.TenantID, func(tx pgx.Tx) error {
		if err := oneAtATime(ctx, tx, d.TenantID); err != nil {
			return err
		}
		var devices, limit int64
		if err := tx.QueryRow(ctx, count, d.TenantID, most).Scan(&devices, &limit); err != nil {
			return err
		}
		if devices >= limit {
			return &user.LimitError{Limit: user.MaxDevices, Max: limit}
		}
		if _, err := tx.Exec(ctx, insert, d.ID, d.TenantID, d.Name, d.Role, hash, userID); err != nil {
			return err
		}
		return addRecord(ctx, tx, deviceRecord(by, d, "device.paired", user.Done, fmt.Sprintf("name %s, role %s", d.Name, d.Role)))
	})
	switch database.Constraint(err) {
	case "devices_name_idx":
		return user.ErrDeviceName
	case "devices_secret_hash_key": // another manager was faster
		return user.ErrNoCode
	}
	return outcome("pair device", err)
}

func deviceRecord(by user.Act, d user.Device, action string, what user.Outcome, detail string) user.Record {
	return user.Record{
		TenantID: d.TenantID, Actor: by.Actor, Address: by.Address, Action: action, Target: "device:" + d.ID, Outcome: what, Detail: detail,
	}
}

// Devices returns the tenant's devices that are not revoked, by name.
func (s *Store) Devices(ctx context.Context, tenantID string) ([]user.Device, error) {
	const all = `SELECT ` + deviceColumns + deviceTables + `WHERE d.tenant_id = $1 AND d.revoked_at IS NULL ORDER BY lower(d.name), d.id`
	found, err := database.Collect(ctx, s.pool, tenantID, scanDevice, all, tenantID)
	return found, database.Wrap("list devices", err)
}

// RevokeDevice ends a device's access, and returns it as it was. The error is [user.ErrNotFound] if the device does not exist. Announce the
// revocation, see [auth.Revocation]: the device's open streams go on until then.
func (s *Store) RevokeDevice(ctx context.Context, tenantID, id string, by user.Act) (was user.Device, err error) {
	const revoke = `UPDATE devices SET revoked_at = now() WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL`
	err = database.InTenant(ctx, s.pool, tenantID, func(tx pgx.Tx) error {
		const find = `SELECT ` + deviceColumns + deviceTables + `WHERE d.tenant_id = $1 AND d.id = $2 AND d.revoked_at IS NULL`
		rows, err := tx.Query(ctx, find, tenantID, id)
		if err != nil {
			return err
		}
		if was, err = pgx.CollectExactlyOneRow(rows, scanDevice); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, revoke, tenantID, id); err != nil {
			return err
		}
		return addRecord(ctx, tx, deviceRecord(by, was, "device.revoked", user.Done, "name "+was.Name))
	})
	return was, outcome("revoke device", err)
}

// RefusePairing writes to the audit trail that a user typed a code that no till shows.
func (s *Store) RefusePairing(ctx context.Context, tenantID string, by user.Act) error {
	r := deviceRecord(by, user.Device{TenantID: tenantID}, "device.paired", user.Refused, "no till shows the code")
	r.Times = 1
	return s.AddRefusals(ctx, tenantID, []user.Record{r})
}

// SeeDevice records that a device's page is open, and returns the device, or [user.ErrNotFound].
func (s *Store) SeeDevice(ctx context.Context, tenantID, id string) (user.Device, error) {
	const see = `UPDATE devices SET last_seen_at = now(),
		connected_since = CASE WHEN last_seen_at > now() - $3::interval THEN coalesce(connected_since, now()) ELSE now() END
		WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL`
	err := database.InTenant(ctx, s.pool, tenantID, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, see, tenantID, id, user.DeviceAway)
		return err
	})
	if err != nil {
		return user.Device{}, database.Wrap("see device", err)
	}
	return s.device(ctx, tenantID, id)
}

// DeviceRole returns the role of a device by its id and the hash of its secret, or [user.ErrNotFound] if the device does not exist or
// is revoked.
func (s *Store) DeviceRole(ctx context.Context, tenantID, id, secretHash string) (user.Role, error) {
	const find = `SELECT role FROM devices WHERE tenant_id = $1 AND id = $2 AND secret_hash = decode($3, 'hex') AND revoked_at IS NULL`
	role, err := database.CollectOne(ctx, s.pool, tenantID, pgx.RowTo[user.Role], find, tenantID, id, secretHash)
	return role, outcome("find role of device", err)
}
