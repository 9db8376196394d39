/** Loads the snapshot's pages into the store, again and again until it is whole, one load at a time. */
import type { OrdersClient } from '../services/orders';
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
  /** Loads all pages, now and, if it is loading already, once more after that. */
  load(address: string): void;
  retryNow(): void;
  close(): void;
}

interface SnapshotLoaderOptions {
  readonly client: OrdersClient;
  readonly store: OrderStore;
  readonly random: () => number;
}

export function snapshotLoader({ client, store, random }: SnapshotLoaderOptions): SnapshotLoader {
  const { subscribe, announce } = announcer();
  const stop = new AbortController();
  let state: Loading = { kind: 'waiting' };
  let due: string | undefined;
  let running = false;
  let wake: (() => void) | undefined;

  return {
    subscribe,
    getSnapshot: () => state,
    load(address) {
      due = address;
      if (!running) void run();
    },
    retryNow: () => wake?.(),
    close() {
      stop.abort();
      wake?.();
    },
  };

  async function run(): Promise<void> {
    running = true;
    for (let failures = 0; due !== undefined && !stop.signal.aborted; ) {
      const address = due;
      due = undefined;
      try {
        await loadPages(address);
        failures = 0;
        become({ kind: 'loaded' });
        if (due !== undefined) await pause(retry.first); // a stream of resyncs must not become a flood of loads
      } catch (err) {
        if (stop.signal.aborted) break;
        due ??= address;
        become({ kind: 'failed', message: messageOf(err) });
        await pause(Math.min(retry.most, retry.first * 2 ** failures) * (1 + random() / 2));
        failures += 1;
      }
    }
    running = false;
  }

  async function loadPages(address: string): Promise<void> {
    let cursor = '';
    let loaded = 0;
    do {
      become({ kind: 'loading', loaded });
      const page = await client.snapshot({ address, cursor, signal: stop.signal });
      store.apply(...page.orders);
      loaded += page.orders.length;
      cursor = page.nextCursor;
    } while (cursor !== '');
  }

  async function pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    wake = undefined;
  }

  function become(next: Loading): void {
    state = next;
    announce();
  }
}
