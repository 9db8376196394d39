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
  /** The address of its database, if it is not the stack of all tests. */
  readonly database?: string;
}

export async function writeOrders({
  tenant,
  count,
  daysAgo,
  prefix,
  status = 'completed',
  database,
}: Past): Promise<void> {
  await query(
    `INSERT INTO orders (id, tenant_id, reference, status, total_amount, currency, version, created_at, updated_at)
     SELECT gen_random_uuid(), $1, $2::text || n, $3, 1000 + n, 'EUR', 3, at, at
     FROM generate_series(1, $4::int) AS n,
          LATERAL (SELECT now() - make_interval(days => $5::int, mins => n) AS at) AS made`,
    [tenant, prefix, status, count, daysAgo],
    database,
  );
}

export async function query(
  sql: string,
  values: unknown[] = [],
  database = runningStack().database_url,
): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}
