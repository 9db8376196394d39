// Package embedded runs PostgreSQL, Kafka, Redis and a mail server on one machine, for `orderbell dev` and for tests.
// It is not for production.
package embedded
