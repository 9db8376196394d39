import { describe, expect, it, vi } from 'vitest';
import { FakeOrigin } from '../testing/fakeOrigin';
import { json, problem } from '../testing/http';
import { authorized, type Credentials } from './authorized';
import { newIdempotencyKey, ordersClient } from './orders';
import { messageOf, Problem } from './problem';

function setup(credentials?: Credentials) {
  const origin = new FakeOrigin();
  const owner = { token: () => origin.user('owner@demo.example').token, renew: async () => false };
  const client = ordersClient(authorized(origin.fetch, credentials ?? owner));
  return { origin, client };
}

describe('the calls', () => {
  it('creates with a key, and without an empty reference', async () => {
    const { origin, client } = setup();
    const order = await client.create({ reference: '', totalAmount: 1250, currency: 'EUR' }, 'key-1');
    expect(order).toMatchObject({ status: 'submitted', totalAmount: 1250, version: 1 });
    const [request] = origin.requests;
    expect(request?.headers.get('Idempotency-Key')).toBe('key-1');
    expect(request?.headers.get('Content-Type')).toBe('application/json');
    expect(JSON.parse(request?.body ?? '')).toEqual({ total_amount: 1250, currency: 'EUR' });
  });

  it('pays by /pay and moves on by /status', async () => {
    const { origin, client } = setup();
    const { order_id: id } = origin.create();
    expect((await client.pay(id, 'key-2')).status).toBe('paid');
    expect((await client.changeStatus(id, 'ready', 'key-3')).status).toBe('ready');
    expect((await client.get(id)).version).toBe(3);
    expect(origin.requests.map((r) => `${r.method} ${r.path} ${r.body}`.trim())).toEqual([
      `POST /api/orders/${id}/pay`,
      `POST /api/orders/${id}/status {"status":"ready"}`,
      `GET /api/orders/${id}`,
    ]);
  });
});

describe('problems', () => {
  it('carry the server’s words and fields', async () => {
    const { origin, client } = setup();
    const errors = [{ field: 'currency', detail: 'is not three capital letters' }];
    origin.answerOnce('/api/orders', problem(422, 'currency is wrong', { errors }));
    const failure = client.create({ reference: '', totalAmount: 1, currency: 'eur' }, 'key');
    await expect(failure).rejects.toEqual(new Problem(422, 'currency is wrong', errors));
  });

  it.each([
    [
      'an error page',
      new Response('<html>', { status: 502, statusText: 'Bad Gateway' }),
      502,
      'The server answered 502 Bad Gateway',
    ],
    [
      'a problem that is none',
      new Response('oops', { status: 500, headers: { 'Content-Type': 'application/problem+json' } }),
      500,
      'The server answered 500',
    ],
    [
      'no network',
      new TypeError('down'),
      0,
      'The server could not be reached. Check the connection and try again.',
    ],
    [
      'half an answer',
      new Response('{"order_id"', { status: 201 }),
      0,
      'The server’s answer could not be read. Try again.',
    ],
  ])('%s', async (_case, answer, status, message) => {
    const { origin, client } = setup();
    for (let i = 0; i < 3; i += 1)
      origin.answerOnce('/api/orders', answer instanceof Error ? answer : answer.clone());
    const failure = client.create({ reference: '', totalAmount: 1, currency: 'EUR' }, 'key');
    await expect(failure).rejects.toMatchObject({ status, message });
  });

  it('say what is wrong with an order that is none', async () => {
    const { origin, client } = setup();
    origin.answerOnce('/api/orders/x', json(200, { order_id: 'x' }));
    const err = await client.get('x').catch((e: unknown) => e);
    expect(messageOf(err)).toBe(
      'The server sent something unexpected: order.tenant_id is missing, want a string',
    );
  });
});

describe('credentials', () => {
  it('renews once after a 401 and tries again', async () => {
    let token = 'expired';
    const renew = vi.fn(async () => {
      token = 'token-of-owner-of-demo';
      return true;
    });
    const { origin, client } = setup({ token: () => token, renew });
    const { order_id: id } = origin.create();
    expect((await client.get(id)).orderId).toBe(id);
    expect(renew).toHaveBeenCalledTimes(1);
  });

  it('gives up where there is no other token', async () => {
    const { client } = setup({ token: () => 'expired', renew: async () => false });
    await expect(client.get('x')).rejects.toMatchObject({
      status: 401,
      message: 'the token has expired: sign in again',
    });
  });
});

describe('newIdempotencyKey', () => {
  it('is long, printable and never the same', () => {
    const keys = Array.from({ length: 1000 }, newIdempotencyKey);
    expect(new Set(keys).size).toBe(1000);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
  });
});
