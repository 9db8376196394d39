import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepIn, parseSession, type Session } from '../services/session';
import { FakeOrigin } from '../testing/fakeOrigin';
import { type Client, openClient } from './client';
import type { Feed } from './feed';
import { keepListIn } from './keptList';
import { announcer } from './observable';

const began = Date.parse('2026-11-24T12:00:00Z');

beforeEach(() => {
  vi.useFakeTimers({ now: began });
});

const opened: Client[] = [];

afterEach(() => {
  for (const client of opened.splice(0)) client.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

class Memory implements Storage {
  readonly #items = new Map<string, string>();
  get length(): number {
    return this.#items.size;
  }
  clear = () => this.#items.clear();
  getItem = (key: string) => this.#items.get(key) ?? null;
  key = (i: number) => [...this.#items.keys()][i] ?? null;
  removeItem = (key: string) => void this.#items.delete(key);
  setItem = (key: string, value: string) => void this.#items.set(key, value);
  keys = () => [...this.#items.keys()].sort();
}

/** A browser of one tab that is closed and opened again, and its network. */
function setup() {
  const origin = new FakeOrigin({ pageSize: 500 });
  const tab = new Memory();
  const { subscribe, announce } = announcer();
  let isOnline = true;
  const network = {
    getSnapshot: () => isOnline,
    subscribe,
    become(online: boolean) {
      isOnline = online;
      announce();
    },
  };
  const down = () => Promise.reject(new TypeError('no network'));
  function open(fetch: FakeOrigin['fetch'] = origin.fetch): Client {
    const client = openClient({
      fetch: (url, init) => (isOnline ? fetch(url, init) : down()),
      keeper: keepIn(tab),
      origin: 'https://shop.example',
      network,
      listOf: (session, isKept) => keepListIn(tab, session, isKept),
    });
    opened.push(client);
    return client;
  }
  return { origin, tab, network, open, down };
}

function feedOf(client: Client): Feed {
  const state = client.getSnapshot();
  if (state.kind !== 'signed_in') throw new Error('not signed in');
  return state.feed;
}

function user(origin: FakeOrigin, email: string): Session {
  return parseSession(origin.user(email), 'user');
}

function names(client: Client): string[] {
  return feedOf(client)
    .store.getSnapshot()
    .orders.map((order) => `${order.reference} ${order.status}`);
}

async function settle(ms = 10): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

describe('the kept list', () => {
  it('is shown without a network, with the time until when it was right', async () => {
    const { origin, network, open } = setup();
    origin.create('demo', 'A-1');
    const first = open();
    first.signIn(user(origin, 'cashier@demo.example'));
    await settle(7000);
    first.close();
    network.become(false);
    await settle(60_000);
    const again = open();
    await settle();
    expect(names(again)).toEqual(['A-1 submitted']);
    expect(feedOf(again).freshness.getSnapshot()).toEqual({
      kind: 'stale',
      since: began + 5000,
      why: 'offline',
    });
  });

  it('is shown when the server does not answer, and gives way to the server’s', async () => {
    const { origin, open, down } = setup();
    const gone = origin.create('demo', 'A-1');
    origin.create('demo', 'A-2');
    const first = open();
    first.signIn(user(origin, 'cashier@demo.example'));
    await settle(7000);
    first.close();

    // Overnight another till completes the one: it is in no later snapshot of the current orders.
    origin.orders.delete(gone.order_id);
    let isDown = true;
    const again = open((url, init) => (isDown ? down() : origin.fetch(url, init)));
    await settle(1000);
    expect(names(again)).toEqual(['A-2 submitted', 'A-1 submitted']);
    expect(feedOf(again).freshness.getSnapshot().kind).toBe('stale');
    isDown = false;
    await settle(60_000);
    expect(names(again)).toEqual(['A-2 submitted']);
    expect(feedOf(again).freshness.getSnapshot().kind).toBe('live');
  });

  it('is not stored while the page draws: to store thousands of orders takes longer than a frame', async () => {
    const { origin, tab, open } = setup();
    origin.create('demo', 'A-1');
    let idle = 10;
    vi.stubGlobal('requestIdleCallback', (work: (deadline: { timeRemaining: () => number }) => void) =>
      setTimeout(() => work({ timeRemaining: () => idle }), 16),
    );
    vi.stubGlobal('cancelIdleCallback', clearTimeout);
    const client = open();
    client.signIn(user(origin, 'cashier@demo.example'));
    const stored = () => tab.keys().filter((key) => key.startsWith('orderbell.list'));
    await settle(7000);
    expect(stored(), 'the user scrolls').toEqual([]);
    idle = 50;
    await settle(100);
    expect(stored()).toHaveLength(2);
  });

  it('is stored after some seconds by a page that never stops drawing', async () => {
    const { origin, tab, open } = setup();
    origin.create('demo', 'A-1');
    vi.stubGlobal('requestIdleCallback', (work: (deadline: { timeRemaining: () => number }) => void) =>
      setTimeout(() => work({ timeRemaining: () => 10 }), 16),
    );
    vi.stubGlobal('cancelIdleCallback', clearTimeout);
    open().signIn(user(origin, 'cashier@demo.example'));
    await settle(9500);
    expect(tab.keys().filter((key) => key.startsWith('orderbell.list'))).toHaveLength(2);
  });

  it('is not shown where the server answers', async () => {
    const { origin, open } = setup();
    origin.create('demo', 'A-1');
    const first = open();
    first.signIn(user(origin, 'cashier@demo.example'));
    await settle(7000);
    first.close();
    const again = open();
    const seen = new Set<string>();
    feedOf(again).freshness.subscribe(() => seen.add(feedOf(again).freshness.getSnapshot().kind));
    await settle(5000);
    expect([...seen]).toEqual(['live']);
  });

  it('ends with the session, and with another user', async () => {
    const { origin, tab, open } = setup();
    origin.create('demo', 'A-1');
    origin.create('kopi', 'K-1');
    const client = open();
    client.signIn(user(origin, 'cashier@demo.example'));
    await settle(7000);
    expect(tab.keys().filter((key) => key.startsWith('orderbell.list'))).toHaveLength(2);
    client.signIn(user(origin, 'owner@kopi.example'));
    await settle(7000);
    expect(tab.keys().filter((key) => key.startsWith('orderbell.list'))).toEqual([
      'orderbell.list kopi owner@kopi.example',
      'orderbell.listed kopi owner@kopi.example',
    ]);
    client.signOut();
    await settle(20_000);
    expect(tab.keys()).toEqual([]);
  });

  it('is not kept on by a tab whose user has signed out in another', async () => {
    const { origin, tab, open } = setup();
    origin.create('demo', 'A-1');
    const client = open();
    client.signIn(user(origin, 'cashier@demo.example'));
    await settle(7000);
    tab.clear(); // what the other tab does
    await settle(20_000);
    expect(tab.keys()).toEqual([]);
  });

  it('of another version of the page is dropped', () => {
    const tab = new Memory();
    const session = user(new FakeOrigin(), 'cashier@demo.example');
    tab.setItem('orderbell.list demo cashier@demo.example', '[{"orderId":7}]');
    tab.setItem('orderbell.listed demo cashier@demo.example', '1');
    expect(keepListIn(tab, session, () => true).load()).toBeUndefined();
    expect(tab.keys()).toEqual([]);
  });
});
