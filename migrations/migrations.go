// Package migrations has the database schema as golang-migrate pairs.
package migrations

import "embed"

// Files are the migration pairs, NNNNNN_name.up.sql and NNNNNN_name.down.sql.
//
//go:embed *.sql
var Files embed.FS
