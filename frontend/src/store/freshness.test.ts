import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeOrigin, frame } from '../testing/fakeOrigin';
import { type Feed, openFeed } from './feed';
import { announcer } from './observable';

const began = Date.parse('2026-11-24T12:00:00Z');

beforeEach(() => {
  vi.useFakeTimers({ now: began });
});

let feed: Feed | undefined;

afterEach(() => {
  feed?.close();
  vi.useRealTimers();
});

/** A network that tests take away and give back. */
function aNetwork() {
  const { subscribe, announce } = announcer();
  let isOnline = true;
  return {
    getSnapshot: () => isOnline,
    subscribe,
    become(online: boolean) {
      isOnline = online;
      announce();
    },
  };
}

async function setup() {
  const origin = new FakeOrigin({ pageSize: 500 });
  origin.create('demo', 'A-1');
  const network = aNetwork();
  const { token } = origin.user('cashier@demo.example');
  const opened = openFeed({
    fetch: origin.fetch,
    credentials: { token: () => token, renew: async () => false },
    origin: 'https://shop.example',
    network,
    random: () => 0,
  });
  feed = opened;
  await settle();
  expect(opened.freshness.getSnapshot().kind).toBe('live');
  return { origin, network, feed: opened, now: () => opened.freshness.getSnapshot() };
}

async function settle(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

const readyEveryTwoSeconds = (id: string) =>
  frame('ready', { tenant_id: 'demo', resumed: true, live: true, heartbeat_ms: 2000 }, id);

describe('the list is not live', () => {
  it('at once when the browser is offline, and says how much it missed', async () => {
    const { origin, network, now } = await setup();
    await settle(20_000);
    network.become(false);
    await settle();
    expect(now()).toEqual({ kind: 'stale', since: began + 20_000, why: 'offline' });
    origin.endStreams('cut');
    origin.answerOnce('/api/sse/notifications', new TypeError('down'));
    origin.create('demo', 'A-2');
    origin.create('demo', 'A-3');
    network.become(true);
    await settle(10_000);
    expect(now()).toMatchObject({ kind: 'live', caughtUp: { since: began + 20_000, orders: 2 } });
    await settle(31_000);
    expect(now()).toEqual({ kind: 'live', caughtUp: undefined });
  });

  it('five seconds after the last byte, where the gateway promised one every two', async () => {
    const { origin, now } = await setup();
    origin.write(readyEveryTwoSeconds('0'));
    await settle(4999);
    expect(now().kind).toBe('live');
    await settle(2);
    expect(now()).toEqual({ kind: 'stale', since: began, why: 'connection' });
  });

  it('while the gateway says that it misses something', async () => {
    const { origin, now } = await setup();
    origin.write(frame('degraded', { reason: 'unreachable', since: '2026-11-24T11:59:58Z' }, '0'));
    await settle();
    expect(now()).toEqual({ kind: 'stale', since: began - 2000, why: 'degraded' });
    origin.write(frame('live', { since: '2026-11-24T12:00:10Z' }, '0'));
    await settle();
    expect(now().kind).toBe('live');
  });

  it('while a snapshot that a resync asked for is on its way', async () => {
    const { origin, now } = await setup();
    origin.answerOnce('/api/orders/snapshot', new TypeError('down'));
    origin.write(frame('resync', { reason: 'stream_lost', snapshot: '' }, '0'));
    await settle(100);
    expect(now()).toMatchObject({ kind: 'stale', why: 'loading' });
    await settle(5000);
    expect(now().kind).toBe('live');
  });
});

it('is read from order-api within half a second and every ten seconds while the gateway is away', async () => {
  const origin = new FakeOrigin({ pageSize: 500 });
  for (let i = 0; i < 50; i += 1) origin.answerOnce('/api/sse/notifications', new TypeError('down'));
  origin.create('demo', 'A-1');
  const { token } = origin.user('cashier@demo.example');
  feed = openFeed({
    fetch: origin.fetch,
    credentials: { token: () => token, renew: async () => false },
    origin: 'https://shop.example',
    random: () => 0,
  });
  const shown = () => feed?.store.getSnapshot().orders.map((order) => order.reference);
  await settle(500);
  expect(shown()).toEqual(['A-1']);
  expect(feed.freshness.getSnapshot().kind).toBe('stale');
  origin.create('demo', 'A-2');
  await settle(10_000);
  expect(shown()).toEqual(['A-2', 'A-1']);
});
