/** Other order services, and the tenants for which they may publish events. */
import pg from 'pg';
import { runningStack } from './stack';

/** Allows a source to send events of the tenant, as `orderbell source allow` does. */
export async function allowSource(source: string, tenant: string): Promise<void> {
  const client = new pg.Client({ connectionString: runningStack().database_url });
  await client.connect();
  try {
    await client.query(
      "INSERT INTO event_sources (source, tenant_id, allowed_by) VALUES ($1, $2, 'test') ON CONFLICT DO NOTHING",
      [source, tenant],
    );
  } finally {
    await client.end();
  }
}
