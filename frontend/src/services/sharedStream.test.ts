import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Feed, openFeed } from '../store/feed';
import { FakeOrigin, frame } from '../testing/fakeOrigin';
import type { Sharing } from './sharedStream';

beforeEach(() => {
  vi.useFakeTimers();
});

const tabs: Feed[] = [];

afterEach(() => {
  for (const tab of tabs.splice(0)) tab.close();
  vi.useRealTimers();
});

/** One browser: its lock and its channel, which reaches every other tab in the order of sending. */
function aBrowser(): Sharing & {
  /** The first tab says nothing more, until the returned function is called. */
  hang(): () => void;
  /** What the tabs have open: locks and places in the queue, and channels. */
  left(): { readonly locks: number; readonly channels: number };
} {
  const channels = new Set<Channel>();
  class Channel extends EventTarget {
    constructor() {
      super();
      channels.add(this);
    }
    isHung = false;
    postMessage(data: unknown): void {
      if (this.isHung) return;
      for (const other of channels) {
        if (other === this) continue;
        queueMicrotask(() =>
          other.dispatchEvent(new MessageEvent('message', { data: structuredClone(data) })),
        );
      }
    }
    close(): void {
      channels.delete(this);
    }
  }
  const queue: (() => void)[] = [];
  let lose: ((err: Error) => void) | undefined;
  const request = (_name: string, { signal, steal = false }: LockOptions, work: () => Promise<unknown>) =>
    new Promise((resolve, reject) => {
      const grant = () => {
        if (signal?.aborted === true) {
          reject(new Error('aborted'));
          next();
          return;
        }
        const mine = reject;
        lose = mine;
        void work().then(() => {
          resolve(undefined);
          if (lose === mine) next();
        });
      };
      if (steal) lose?.(new Error('stolen'));
      if (steal || lose === undefined) return grant();
      queue.push(grant);
      signal?.addEventListener('abort', () => {
        if (queue.includes(grant)) queue.splice(queue.indexOf(grant), 1);
        reject(new Error('aborted'));
      });
    });
  const next = () => {
    lose = undefined;
    queue.shift()?.();
  };
  const hang = () => {
    const [first] = channels;
    if (first !== undefined) first.isHung = true;
    return () => {
      if (first !== undefined) first.isHung = false;
    };
  };
  return {
    hang,
    left: () => ({ locks: queue.length + (lose === undefined ? 0 : 1), channels: channels.size }),
    name: 'demo',
    locks: { request } as unknown as LockManager,
    channel: () => new Channel() as unknown as BroadcastChannel,
  };
}

async function settle(ms = 10): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

function setup(random = 0) {
  const origin = new FakeOrigin({ pageSize: 500 });
  const browser = aBrowser();
  const { token } = origin.user('owner@demo.example');
  const openWith = (sharing: Sharing) => {
    const tab = openFeed({
      fetch: origin.fetch,
      credentials: { token: () => token, renew: async () => false },
      origin: 'https://shop.example',
      sharing,
      random: () => random,
    });
    tabs.push(tab);
    return tab;
  };
  const open = () => openWith(browser);
  return { origin, open, openWith, hang: browser.hang, left: browser.left };
}

const shown = (tab: Feed) => tab.store.getSnapshot().orders.map((order) => order.reference);

it('opens one stream for twenty tabs, all of them live', async () => {
  const { origin, open } = setup();
  origin.create('demo', 'A-1');
  const all = Array.from({ length: 20 }, open);
  await settle();
  origin.create('demo', 'A-2');
  await settle();
  expect(origin.streams.size).toBe(1);
  expect(new Set(all.map((tab) => tab.freshness.getSnapshot().kind))).toEqual(new Set(['live']));
  for (const tab of all) expect(shown(tab)).toEqual(['A-2', 'A-1']);
});

it('goes on in another tab when the leading one closes, and misses nothing', async () => {
  const { origin, open } = setup();
  const first = open();
  await settle();
  const second = open();
  await settle();
  origin.create('demo', 'A-1');
  await settle();
  first.close();
  origin.create('demo', 'A-2');
  await settle(2000);
  origin.create('demo', 'A-3');
  await settle();
  expect(origin.streams.size).toBe(1);
  expect(shown(second)).toEqual(['A-3', 'A-2', 'A-1']);
  expect(
    origin.requests
      .filter((r) => r.path === '/api/sse/notifications')
      .at(-1)
      ?.headers.has('Last-Event-ID'),
  ).toBe(true);
  expect(second.freshness.getSnapshot().kind).toBe('live');
});

it('leaves nothing of a tab that is closed, whether it leads or waits', async () => {
  const { origin, open, left } = setup();
  const [first, second, third] = [open(), open(), open()];
  await settle();
  expect(left()).toEqual({ locks: 3, channels: 3 });
  second.close();
  await settle();
  expect(left()).toEqual({ locks: 2, channels: 2 });
  first.close();
  await settle();
  expect(left()).toEqual({ locks: 1, channels: 1 });
  expect(third.freshness.getSnapshot().kind).toBe('live');
  third.close();
  await settle();
  expect(left()).toEqual({ locks: 0, channels: 0 });
  expect(origin.streams.size).toBe(0);
  expect(vi.getTimerCount(), 'timers that run').toBe(0);
});

it('opens no stream for a lock that is granted to a closed tab, and one for a lock that is granted twice', async () => {
  const { origin, openWith } = setup();
  const grants: (() => Promise<unknown>)[] = [];
  const locks = {
    request: (_name: string, _options: LockOptions, work: () => Promise<unknown>) => {
      grants.push(work);
      return new Promise(() => undefined);
    },
  } as unknown as LockManager;
  const tab = openWith({ ...aBrowser(), locks });
  await settle();
  for (const grant of [...grants, ...grants]) void grant();
  await settle();
  expect(origin.streams.size).toBe(1);
  tab.close();
  await settle();
  for (const grant of grants) await grant();
  expect(origin.streams.size).toBe(0);
});

it('tells every tab that the stream is cut', async () => {
  const { origin, open } = setup();
  const [first, second] = [open(), open()];
  await settle();
  origin.answerOnce('/api/sse/notifications', new TypeError('down'));
  origin.endStreams('cut');
  await settle();
  for (const tab of [first, second]) expect(tab.freshness.getSnapshot().kind).toBe('stale');
  await settle(5000);
  for (const tab of [first, second]) expect(tab.freshness.getSnapshot().kind).toBe('live');
});

it('replaces a leading tab that hangs, and has one stream again when that tab goes on', async () => {
  const { origin, open, hang } = setup();
  const [first, second, third] = [open(), open(), open()];
  await settle();
  const goOn = hang();
  origin.create('demo', 'A-1');
  await settle(8000);
  for (const tab of [second, third]) {
    expect(tab.freshness.getSnapshot()).toMatchObject({ kind: 'live', caughtUp: { orders: 1 } });
    expect(shown(tab)).toEqual(['A-1']);
  }
  goOn();
  await settle(3000);
  origin.create('demo', 'A-2');
  await settle();
  expect(origin.streams.size).toBe(1);
  for (const tab of [first, second, third]) {
    expect(shown(tab)).toEqual(['A-2', 'A-1']);
    expect(tab.freshness.getSnapshot().kind).toBe('live');
  }
});

it('shows that the list is stale while the leading tab hangs', async () => {
  const { open, hang } = setup(0.9);
  const [, second] = [open(), open()];
  await settle();
  expect(second.freshness.getSnapshot().kind).toBe('live');
  hang();
  await settle(5500); // it has been silent for too long, and this tab waits before it takes over
  expect(second.freshness.getSnapshot().kind).toBe('stale');
  await settle(3000);
  expect(second.freshness.getSnapshot().kind).toBe('live');
});

it('tells a tab that joins that the feed is not guaranteed', async () => {
  const { origin, open } = setup();
  const first = open();
  await settle();
  origin.write(frame('degraded', { reason: 'unreachable', since: '2026-11-24T11:59:58Z' }, '0'));
  await settle();
  const second = open();
  await settle();
  for (const tab of [first, second]) expect(tab.freshness.getSnapshot().kind).toBe('stale');
  origin.write(frame('live', { since: '2026-11-24T12:00:00Z' }, '0'));
  await settle();
  for (const tab of [first, second, open()]) {
    await settle();
    expect(tab.freshness.getSnapshot().kind).toBe('live');
  }
});

it('does not replace a leading tab that only has no stream', async () => {
  const { origin, open } = setup();
  const [first, second] = [open(), open()];
  await settle();
  for (let i = 0; i < 20; i += 1) origin.answerOnce('/api/sse/notifications', new TypeError('down'));
  origin.endStreams('cut');
  await settle(20_000);
  const attempts = origin.requests.filter((r) => r.path === '/api/sse/notifications').length;
  expect(attempts, 'one tab tries, with growing pauses').toBeLessThan(8);
  for (const tab of [first, second]) expect(tab.freshness.getSnapshot().kind).toBe('stale');
});
