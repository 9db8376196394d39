import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Notification } from '../model/frame';
import { nextStatuses } from '../model/order';
import { parseOrder } from '../model/wire';
import { eventData, FakeOrigin, type FakeOriginOptions, frame } from '../testing/fakeOrigin';
import { problem } from '../testing/http';
import { type Feed, openFeed } from './feed';

beforeEach(() => {
  vi.useFakeTimers();
});

const opened: Feed[] = [];

afterEach(() => {
  for (const feed of opened.splice(0)) feed.close();
  vi.useRealTimers();
});

function open(origin: FakeOrigin, email = 'cashier@demo.example', renew = async () => false): Feed {
  const { token } = origin.user(email);
  const feed = openFeed({
    fetch: origin.fetch,
    credentials: { token: () => token, renew },
    origin: 'https://shop.example',
    random: () => 0,
  });
  opened.push(feed);
  return feed;
}

async function setup(options?: FakeOriginOptions) {
  const origin = new FakeOrigin(options);
  const first = origin.create('demo', 'A-1');
  const told: Notification[] = [];
  const feed = open(origin);
  feed.onNotification((notification) => told.push(notification));
  await settle();
  return { origin, feed, first, told };
}

async function settle(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

function snapshotsIn(origin: FakeOrigin): number {
  return origin.requests.filter((r) => r.path === '/api/orders/snapshot' && !r.query.has('cursor')).length;
}

/** What the server has, as the feed should show it. */
function truth(origin: FakeOrigin, tenant = 'demo') {
  const orders = [...origin.orders.values()].filter((o) => o.tenant_id === tenant);
  return orders.map((o) => parseOrder(o)).sort((a, b) => b.createdAt - a.createdAt);
}

describe('opening', () => {
  it('opens the stream before it loads every page of the snapshot', async () => {
    const origin = new FakeOrigin({ pageSize: 2 });
    for (let i = 0; i < 5; i += 1) origin.create();
    origin.create('kopi');
    const feed = open(origin);
    await settle();
    const asked = origin.requests.filter((r) => !['/api/notifications', '/api/tenant'].includes(r.path));
    expect(asked.map((r) => `${r.path} ${r.query.get('cursor') ?? ''}`.trim())).toEqual([
      '/api/sse/notifications',
      '/api/orders/snapshot',
      '/api/orders/snapshot 2',
      '/api/orders/snapshot 4',
    ]);
    expect(feed.store.getSnapshot().orders).toEqual(truth(origin));
    expect(feed.loading.getSnapshot()).toEqual({ kind: 'loaded' });
  });

  it('tries again when the snapshot fails, and says why meanwhile', async () => {
    const origin = new FakeOrigin();
    origin.create();
    origin.answerOnce(
      '/api/orders/snapshot',
      problem(503, 'the service is temporarily unavailable: try again in a second'),
    );
    const feed = open(origin);
    await settle();
    expect(feed.loading.getSnapshot()).toEqual({
      kind: 'failed',
      message: 'The server is not available at the moment. Try again shortly.',
    });
    await settle(1000);
    expect(feed.store.getSnapshot().orders).toEqual(truth(origin));
  });
});

describe('a resumed stream', () => {
  it('replays what was missed, without another snapshot', async () => {
    const { origin, feed, first, told } = await setup();
    origin.endStreams('cut');
    origin.advance(first.order_id, 'paid');
    origin.create('demo', 'A-2');
    await settle(1000);
    expect(feed.store.getSnapshot().orders).toEqual(truth(origin));
    expect(told).toHaveLength(1);
    expect(snapshotsIn(origin)).toBe(1);
  });

  it('loads the snapshot where the log is too short', async () => {
    const { origin, feed, first } = await setup({ logSize: 1 });
    origin.endStreams('end');
    origin.advance(first.order_id, 'paid');
    origin.advance(first.order_id, 'ready');
    await settle(3000);
    expect(feed.store.getSnapshot().orders).toEqual(truth(origin));
    expect(snapshotsIn(origin)).toBe(2); // one at first, one for ready and resync together
  });
});

describe('frames', () => {
  it('notifies once, though the notification comes twice', async () => {
    const { origin, feed, first, told } = await setup();
    origin.advance(first.order_id, 'paid');
    origin.redeliver(1);
    await settle();
    expect(told).toHaveLength(1);
    expect(feed.inbox.getSnapshot().unread).toBe(1);
  });

  it('shows in one tab what is read in another, and to nobody else', async () => {
    const { origin, feed, first } = await setup();
    const [otherTab, colleague] = [open(origin), open(origin, 'owner@demo.example')];
    await settle();
    origin.advance(first.order_id, 'paid');
    await settle();
    feed.inbox.readAll();
    await settle();
    const unread = [feed, otherTab, colleague].map((f) => f.inbox.getSnapshot().unread);
    expect(unread).toEqual([0, 0, 1]);
  });

  it.each([
    ['another address of the origin', '/other/snapshot?x=1', '/other/snapshot'],
    ['no address', '', '/api/orders/snapshot'],
    ['an address elsewhere, which must not get the token', 'https://evil.example/x', '/api/orders/snapshot'],
  ])('resync with %s', async (_case, snapshot, want) => {
    const { origin } = await setup();
    origin.requests.length = 0;
    origin.write(frame('resync', { reason: 'flushed', snapshot }, '0'));
    await settle(2000);
    const [first] = origin.requests.filter((r) => r.path !== '/api/notifications');
    expect(first?.path).toBe(want);
    expect(first?.query.has('limit')).toBe(true);
  });

  it('loads the snapshot for a frame that cannot be read', async () => {
    const { origin, feed, first } = await setup();
    const paid = { ...first, status: 'paid' as const, version: 2 };
    origin.orders.set(first.order_id, paid);
    origin.write(frame('order_paid', { ...eventData(paid), version: 'two' }, 'e'));
    await settle(2000);
    expect(feed.store.getSnapshot().orders).toEqual(truth(origin));
  });

  it('shows an order before its event, and announces it with its event', async () => {
    const { origin, feed, told, first } = await setup();
    const paid = { ...first, status: 'paid' as const, version: 2 };
    origin.write(frame('order_committed', eventData(paid), '0'));
    await settle();
    const shown = () => feed.store.getSnapshot().orders.find((o) => o.orderId === first.order_id);
    expect(shown()).toMatchObject({ status: 'paid', version: 2 });
    expect(told).toHaveLength(0);
    origin.advance(first.order_id, 'paid');
    origin.write(frame('order_committed', eventData(first), '0')); // late, and out of date
    await settle();
    expect(told).toHaveLength(1);
    expect(shown()).toMatchObject({ status: 'paid', version: 2 });
  });

  it('does not load faster than once a second, however many ask', async () => {
    const { origin } = await setup();
    for (let i = 0; i < 50; i += 1) {
      origin.write(frame('resync', { reason: 'flushed', snapshot: '' }, '0'));
      await settle(100);
    }
    expect(snapshotsIn(origin)).toBeLessThanOrEqual(8);
  });

  it('renews an expiring token and opens the stream with the fresh one', async () => {
    const origin = new FakeOrigin();
    let email = 'cashier@demo.example';
    const feed = openFeed({
      fetch: origin.fetch,
      credentials: {
        token: () => origin.user(email).token,
        renew: async () => {
          email = 'owner@demo.example';
          return true;
        },
      },
      origin: 'https://shop.example',
    });
    opened.push(feed);
    await settle(10_000);
    origin.write(frame('token_expiring', {}, '0'));
    await settle(10);
    expect([...origin.streams].map((s) => s.user.email)).toEqual(['owner@demo.example']);
    expect(feed.connection.getSnapshot()).toEqual({ kind: 'live' });
  });
});

describe('acting', () => {
  it('shows the answer before any event', async () => {
    const { origin, feed } = await setup();
    origin.endStreams('cut');
    await feed.create({ reference: 'B-1', totalAmount: 5, currency: 'EUR' }, 'key');
    expect(feed.store.getSnapshot().orders.map((o) => o.reference)).toEqual(['B-1', 'A-1']);
  });

  it('creates one order for one key', async () => {
    const { origin, feed } = await setup();
    const order = { reference: '', totalAmount: 5, currency: 'EUR' };
    const [a, b] = [await feed.create(order, 'key'), await feed.create(order, 'key')];
    expect(a).toEqual(b);
    expect(origin.orders.size).toBe(2);
  });

  it('shows what the order has become if somebody else was faster', async () => {
    const { origin, feed, first } = await setup();
    origin.endStreams('cut');
    origin.advance(first.order_id, 'cancelled');
    await expect(feed.advance(first.order_id, 'paid')).rejects.toThrow(
      'an order that is cancelled cannot become paid',
    );
    expect(feed.store.getSnapshot().orders[0]?.status).toBe('cancelled');
  });
});

/** Something that happens between a till and the server. */
const happening = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('create' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), n: fc.nat(20), step: fc.nat(3) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('redeliver' as const), n: fc.nat(40) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cut' as const, 'end' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('snapshot fails' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stream refused' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 3000 }) }),
  },
);

it('ends with what the server has, and each notification once, whatever happens in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(happening, { maxLength: 40 }),
      fc.integer({ min: 1, max: 6 }),
      async (list, logSize) => {
        const origin = new FakeOrigin({ logSize });
        const feed = open(origin);
        const told: string[] = [];
        feed.onNotification(({ notificationId }) => told.push(notificationId));
        for (const event of list) await happen(origin, event);
        for (let i = 0; i < 6; i += 1) {
          origin.write(':\n'); // or a silent stream is given up, and the replay behind it heals what was wrong
          await settle(10_000);
        }
        feed.close();
        expect(feed.store.getSnapshot().orders).toEqual(truth(origin));
        expect(new Set(told).size).toBe(told.length);
      },
    ),
    { numRuns: 500 },
  );
});

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

async function happen(origin: FakeOrigin, event: Happening): Promise<void> {
  switch (event.kind) {
    case 'create':
      origin.create();
      return;
    case 'advance': {
      const order = [...origin.orders.values()][event.n % Math.max(1, origin.orders.size)];
      const next = order === undefined ? undefined : nextStatuses(order.status, ['owner'])[event.step];
      if (order !== undefined && next !== undefined) origin.advance(order.order_id, next);
      return;
    }
    case 'redeliver':
      origin.redeliver(event.n);
      return;
    case 'cut':
    case 'end':
      origin.endStreams(event.kind);
      return;
    case 'snapshot fails':
      origin.answerOnce('/api/orders/snapshot', new TypeError('down'));
      return;
    case 'stream refused':
      origin.answerOnce('/api/sse/notifications', problem(503, 'full'));
      return;
    case 'time':
      await settle(event.ms);
  }
}

it('announces no change that the same user made elsewhere', async () => {
  const origin = new FakeOrigin();
  const { token } = origin.user('cashier@demo.example');
  const feed = openFeed({
    fetch: origin.fetch,
    credentials: { token: () => token, renew: async () => false },
    origin: 'https://shop.example',
    userId: 'u-1',
  });
  opened.push(feed);
  const told: string[] = [];
  feed.onNotification(({ notificationId }) => told.push(notificationId));
  await settle();
  const order = origin.create('demo', 'A-1');
  for (const user_id of ['u-1', 'u-2']) {
    const data = { ...eventData({ ...order, status: 'paid', version: 2 }), actor: { user_id } };
    const id = `of ${user_id}`;
    origin.write(
      frame('notification', { notification_id: id, event_id: id, event: 'order_paid', data }, `${id}.n`),
    );
  }
  await settle();
  expect(told).toEqual(['of u-2']);
  expect(feed.inbox.getSnapshot().unread).toBeGreaterThan(0); // the inbox has both
});
