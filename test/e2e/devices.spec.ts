/** A till that is paired by a code, through the APIs: its token, its orders, its stream, and the end of all three. */

import { runningStack } from './stack';
import { expect, test } from './till';
import { ApiUser } from './users';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function call(method: string, path: string, token = '', body?: unknown): Promise<Answer> {
  const response = await fetch(runningStack().origin + path, {
    method,
    headers: {
      ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

test('a paired till works as itself, and its stream ends within a second of its revocation', async () => {
  const users = (await (await fetch(`${runningStack().origin}/dev/users`)).json()) as {
    email: string;
    token: string;
  }[];
  const manager = users.find((user) => user.email === 'manager@demo.example')?.token ?? '';
  const begun = await call('POST', '/api/pairings');
  expect(begun.status).toBe(201);
  const question = { device_code: begun.body['device_code'] };
  expect((await call('POST', '/api/pairings/state', '', question)).body).toEqual({ state: 'pending' });
  const name = `Bar ${String(Date.now())}`;
  const approval = { user_code: begun.body['user_code'], name, role: 'cashier' };
  const approved = await call('POST', '/api/devices', manager, approval);
  expect(approved.status).toBe(201);
  const token = String((await call('POST', '/api/pairings/state', '', question)).body['token']);

  const order = await call('POST', '/api/orders', token, { total_amount: 975, currency: 'EUR' });
  expect(order.status).toBe(201);
  const history = await call('GET', `/api/orders/${String(order.body['order_id'])}/history`, manager);
  expect(JSON.stringify(history.body)).toContain(name); // the order's history names the till

  const stream = await fetch(`${runningStack().origin}/api/sse/notifications`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  expect(stream.status).toBe(200);
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toContain('event: ready');

  const revokedAt = Date.now();
  const id = String(approved.body['device_id']);
  expect((await call('DELETE', `/api/devices/${id}`, manager)).status).toBe(204);
  for (;;) {
    const { done } = await reader.read().catch(() => ({ done: true }));
    if (done) break;
  }
  expect(Date.now() - revokedAt).toBeLessThan(1000);
  expect((await call('POST', '/api/orders', token, { total_amount: 1, currency: 'EUR' })).status).toBe(401);
  expect((await call('GET', '/api/orders/snapshot', token)).status).toBe(401);
  await (await ApiUser.named('manager@demo.example')).me(); // the manager's own token is still valid
});
