/**
 * Loads older orders page by page: those that the list needs beyond the open ones and those of today. They go into the store,
 * where the stream keeps them current. This module records how far back they are loaded.
 */
import type { Filter } from '../model/listing';
import { isDone, type Status, statuses } from '../model/order';
import type { Period } from '../model/period';
import type { Counts, OrdersClient, OrdersQuery } from '../services/orders';
import { messageOf } from '../services/problem';
import { announcer, type Observable } from './observable';
import type { OrderStore } from './orderStore';

export interface Archive {
  readonly kind: 'idle' | 'loading' | 'partial' | 'whole' | 'failed';
  /** Why the last page could not be loaded. */
  readonly message: string;
  /** All matching orders created at this time or later are loaded; 0 for all, Infinity for none. */
  readonly since: number;
  /** Of the question's period, whatever the state; undefined until they are known. */
  readonly counts: Counts | undefined;
}

export interface Question {
  readonly filter: Filter;
  readonly period: Exclude<Period, { kind: 'current' }>;
}

export interface ArchiveStore extends Observable<Archive> {
  /** Loads the first page, unless the query is unchanged. */
  ask(question: Question | undefined): void;
  /** Loads the next page. */
  more(): void;
  /** Loads again the pages that may be outdated after a gap in the stream. */
  reload(): void;
  close(): void;
}

const idle: Archive = { kind: 'idle', message: '', since: Number.POSITIVE_INFINITY, counts: undefined };

export function archiveStore(client: OrdersClient, store: OrderStore): ArchiveStore {
  const { subscribe, announce } = announcer();
  let state = idle;
  let asked: Question | undefined;
  let cursor = '';
  let stop = new AbortController();

  return {
    subscribe,
    getSnapshot: () => state,
    ask(question) {
      if (JSON.stringify(question) === JSON.stringify(asked)) return;
      asked = question;
      begin();
    },
    more() {
      if (state.kind === 'partial' || state.kind === 'failed') void load();
    },
    reload() {
      if (asked === undefined || state.kind === 'idle' || state.kind === 'loading') return;
      const { since } = state;
      cursor = '';
      void load(since);
      void count(asked);
    },
    close: () => stop.abort(),
  };

  function begin(): void {
    stop.abort();
    stop = new AbortController();
    cursor = '';
    become(idle);
    if (asked === undefined) return;
    void load();
    void count(asked);
  }

  /** Loads one page, or all pages down to the orders of `until`. */
  async function load(until = Number.POSITIVE_INFINITY): Promise<void> {
    if (asked === undefined) return;
    const { signal } = stop;
    become({ ...state, kind: 'loading', message: '' });
    try {
      let since: number;
      do since = await page(asked, signal);
      while (since > until);
      become({ ...state, kind: cursor === '' ? 'whole' : 'partial', since });
    } catch (err) {
      if (!signal.aborted) become({ ...state, kind: 'failed', message: messageOf(err) });
    }
  }

  /** Loads the next page and returns how far down the orders are loaded. */
  async function page(question: Question, signal: AbortSignal): Promise<number> {
    const { orders, nextCursor } = await client.list({ ...queryOf(question), cursor, signal });
    signal.throwIfAborted();
    store.apply(...orders);
    cursor = nextCursor;
    return cursor === '' ? 0 : (orders.at(-1)?.createdAt ?? 0);
  }

  async function count({ period }: Question): Promise<void> {
    const { signal } = stop;
    try {
      const counts = await client.counts({ ...daysOf(period), signal });
      if (!signal.aborted) become({ ...state, counts });
    } catch {
      // The list is shown without counts.
    }
  }

  function become(next: Archive): void {
    state = next;
    announce();
  }
}

function queryOf({ filter, period }: Question): OrdersQuery {
  const state = filter === 'active' ? 'open' : filter === 'all' ? '' : filter;
  return { state, ...daysOf(period) };
}

function daysOf(period: Question['period']): Pick<OrdersQuery, 'from' | 'to'> {
  return period.kind === 'days' ? { from: period.from, to: period.to } : { from: '', to: '' };
}

export type GroupCounts = Readonly<Record<'active' | 'done' | 'all', string>>;

/** The number of orders in each group of the list: "1000+" if the server stopped counting there. */
export function groupCounts({ counts, upTo }: Counts): GroupCounts {
  const sum = (those: readonly Status[]): string => {
    const isCut = those.some((status) => (counts[status] ?? 0) >= upTo);
    return `${String(those.reduce((n, status) => n + (counts[status] ?? 0), 0))}${isCut ? '+' : ''}`;
  };
  return {
    active: sum(statuses.filter((status) => !isDone(status))),
    done: sum(statuses.filter(isDone)),
    all: sum(statuses),
  };
}
