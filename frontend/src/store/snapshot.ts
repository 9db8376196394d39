/** Loads the snapshot's pages into the store, one load at a time, and retries until it is complete. */
import { isDone, type Order } from '../model/order';
import type { OrdersClient } from '../services/orders';
import { type Pause, pause } from '../services/pause';
import { messageOf } from '../services/problem';
import { announcer, type Observable } from './observable';
import type { OrderStore } from './orderStore';

export type Loading =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'loading'; readonly loaded: number }
  | { readonly kind: 'loaded' }
  | { readonly kind: 'failed'; readonly message: string };

/** Milliseconds between two loads; the stream goes on meanwhile. */
const retry = { first: 1000, most: 30_000 };

export interface SnapshotLoader extends Observable<Loading> {
  /** Loads all pages. During a load it starts another one afterwards. */
  load(address: string): void;
  retryNow(): void;
  close(): void;
}

interface SnapshotLoaderOptions {
  readonly client: OrdersClient;
  readonly store: OrderStore;
  readonly random: () => number;
  /** All pages are loaded, and no other load was requested since it began. */
  readonly onLoaded: () => void;
}

export function snapshotLoader({ client, store, random, onLoaded }: SnapshotLoaderOptions): SnapshotLoader {
  const { subscribe, announce } = announcer();
  const stop = new AbortController();
  let state: Loading = { kind: 'waiting' };
  let due: string | undefined;
  let running = false;
  let waiting: Pause | undefined;

  return {
    subscribe,
    getSnapshot: () => state,
    load(address) {
      due = address;
      if (running) return;
      running = true;
      // After the current task, so that `ready` and a `resync` directly after it cause one load, not two.
      queueMicrotask(() => void run());
    },
    retryNow: () => waiting?.end(),
    close() {
      stop.abort();
      waiting?.end();
    },
  };

  async function run(): Promise<void> {
    let failures = 0;
    while (due !== undefined && !stop.signal.aborted) {
      failures = (await loadDue(due)) ? 0 : failures + 1;
      // Also after a success, so that many resyncs do not cause many loads.
      const backoff = Math.min(retry.most, retry.first * 2 ** Math.max(0, failures - 1));
      if (stop.signal.aborted) break;
      waiting = pause(failures === 0 ? retry.first : backoff * (1 + random() / 2));
      await waiting.over;
      waiting = undefined;
    }
    running = false;
  }

  /** Returns whether all pages are loaded. If not, the load stays due. */
  async function loadDue(address: string): Promise<boolean> {
    due = undefined;
    try {
      await loadPages(address);
      become({ kind: 'loaded' });
      if (due === undefined) onLoaded();
      return true;
    } catch (err) {
      due ??= address;
      if (!stop.signal.aborted) become({ kind: 'failed', message: messageOf(err) });
      return false;
    }
  }

  /** A snapshot has every open order, so an order that was open here and is not in it was done meanwhile. */
  async function loadPages(address: string): Promise<void> {
    const missing = new Map<string, Order>();
    for (const order of store.getSnapshot().orders)
      if (!isDone(order.status)) missing.set(order.orderId, order);
    let cursor = '';
    let loaded = 0;
    do {
      become({ kind: 'loading', loaded });
      const page = await client.snapshot({ address, cursor, signal: stop.signal });
      store.apply(...page.orders);
      for (const { orderId } of page.orders) missing.delete(orderId);
      loaded += page.orders.length;
      cursor = page.nextCursor;
    } while (cursor !== '');
    store.forget([...missing.values()]);
  }

  function become(next: Loading): void {
    state = next;
    announce();
  }
}
