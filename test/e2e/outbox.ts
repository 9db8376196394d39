/** Makes the relay send an event again, as after a crash between sending and marking. */
import pg from 'pg';
import { runningStack } from './stack';
import { expect } from './till';

/** Makes the relay send the order's event of that type again, unchanged. Returns when it is sent. */
export async function sendAgain(orderId: string, type: string): Promise<void> {
  const client = new pg.Client({ connectionString: runningStack().database_url });
  await client.connect();
  try {
    const { rowCount } = await client.query(
      'UPDATE outbox SET sent_at = NULL WHERE order_id = $1 AND type = $2 AND sent_at IS NOT NULL',
      [orderId, type],
    );
    expect(rowCount, 'events that had been sent').toBe(1);
    await expect
      .poll(async () => {
        const { rows } = await client.query<{ sent: boolean }>(
          'SELECT sent_at IS NOT NULL AS sent FROM outbox WHERE order_id = $1 AND type = $2',
          [orderId, type],
        );
        return rows[0]?.sent;
      })
      .toBe(true);
  } finally {
    await client.end();
  }
}
