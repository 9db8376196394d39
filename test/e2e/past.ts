/** Orders of earlier days. No API creates them, so they are written to order-api's tables. */
import pg from 'pg';
import { runningStack } from './stack';

export interface Past {
  readonly tenant: string;
  readonly count: number;
  /** The age of the newest order in days. Each other order is one minute older than the one before. */
  readonly daysAgo: number;
  readonly prefix: string;
  readonly status?: string;
}

export async function writeOrders({
  tenant,
  count,
  daysAgo,
  prefix,
  status = 'completed',
}: Past): Promise<void> {
  await query(
    `INSERT INTO orders (id, tenant_id, reference, status, total_amount, currency, version, created_at, updated_at)
     SELECT gen_random_uuid(), $1, $2::text || n, $3, 1000 + n, 'EUR', 3, at, at
     FROM generate_series(1, $4::int) AS n,
          LATERAL (SELECT now() - make_interval(days => $5::int, mins => n) AS at) AS made`,
    [tenant, prefix, status, count, daysAgo],
  );
}

export async function query(sql: string, values: unknown[] = []): Promise<void> {
  const client = new pg.Client({ connectionString: runningStack().database_url });
  await client.connect();
  try {
    await client.query(sql, values);
  } finally {
    await client.end();
  }
}
