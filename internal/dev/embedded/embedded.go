// Package embedded brings PostgreSQL, Kafka, Redis and a mail server to one machine, for `orderbell dev` and for tests.
// Nothing of it runs in production.
package embedded
