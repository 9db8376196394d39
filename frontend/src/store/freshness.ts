/**
 * Whether the list equals the server's: "live" only while nothing can be missing. It combines everything that can make the list
 * old: the browser's network, the stream, the gateway's own feed, and a snapshot that is not loaded yet.
 */
import type { Order } from '../model/order';
import type { ConnectionState } from '../services/sse';
import { announcer, type Observable } from './observable';

export type Freshness =
  /** The first time: nothing is known yet, and nothing went wrong. */
  | { readonly kind: 'connecting' }
  /** `caughtUp` says what was missed, for some time after the list was stale. */
  | { readonly kind: 'live'; readonly caughtUp: CaughtUp | undefined }
  /** The list was current until `since` (ms since 1970); 0 if it never was. */
  | { readonly kind: 'stale'; readonly since: number; readonly why: Why };

/** offline: the browser has no network; degraded: the gateway may miss events; loading: the list is being loaded again. */
export type Why = 'offline' | 'connection' | 'busy' | 'degraded' | 'loading' | 'closed';

export interface CaughtUp {
  /** The list was stale from here, in milliseconds since 1970 … */
  readonly since: number;
  /** … to here. */
  readonly until: number;
  /** How many orders were new or had changed. */
  readonly orders: number;
}

/** How long the page shows which changes it caught up on. */
const saysFor = 30_000;
/** A replay follows `ready` and has no end marker, so changes of the first moments count as replayed. */
const replayTime = 2000;

export interface FreshnessInputs {
  readonly network: Observable<boolean>;
  readonly connection: Observable<ConnectionState>;
  /** Calls back with each order that was new or changed. */
  onChange(listener: (changed: readonly Order[]) => void): () => void;
}

export interface FreshnessStore extends Observable<Freshness> {
  /** The time since which the gateway may miss events, or undefined if it does not. */
  degraded(since: number | undefined): void;
  /** Whether the list is incomplete until a snapshot is loaded. */
  incomplete(is: boolean): void;
  /** A stored list is shown that was current until this time, in milliseconds since 1970. */
  restored(until: number): void;
  close(): void;
}

export function freshness({ network, connection, onChange }: FreshnessInputs): FreshnessStore {
  const { subscribe, announce } = announcer();
  let state: Freshness = { kind: 'connecting' };
  let degradedSince: number | undefined;
  let isIncomplete = true;
  let lastLiveAt = 0;
  let changed = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const stops = [
    network.subscribe(look),
    connection.subscribe(look),
    onChange((orders) => {
      const replays =
        state.kind === 'live' &&
        state.caughtUp !== undefined &&
        Date.now() - state.caughtUp.until < replayTime;
      if (state.kind !== 'stale' && !replays) return;
      for (const order of orders) changed.add(order.orderId);
      if (state.kind === 'live' && state.caughtUp !== undefined) {
        become({ ...state, caughtUp: { ...state.caughtUp, orders: changed.size } });
      }
    }),
  ];
  look();

  return {
    subscribe,
    getSnapshot: () => state,
    degraded(since) {
      degradedSince = since;
      look();
    },
    incomplete(is) {
      isIncomplete = is;
      look();
    },
    restored(until) {
      if (lastLiveAt > 0) return;
      lastLiveAt = until;
      changed = new Set();
      become({ kind: 'stale', since: until, why: whatIsWrong()?.why ?? 'loading' });
    },
    close() {
      clearTimeout(timer);
      for (const stop of stops) stop();
    },
  };

  function look(): void {
    const trouble = whatIsWrong();
    if (trouble === undefined) {
      becomeLive();
      return;
    }
    if (trouble.why === 'loading' && state.kind === 'connecting') return;
    if (state.kind === 'stale') {
      if (state.why !== trouble.why) become({ ...state, why: trouble.why });
      return;
    }
    const wasLive = state.kind === 'live';
    changed = new Set();
    become({ kind: 'stale', since: wasLive ? (trouble.since ?? Date.now()) : lastLiveAt, why: trouble.why });
  }

  /** The first reason why the list is old, or undefined. */
  function whatIsWrong(): Trouble | undefined {
    if (!network.getSnapshot()) return { why: 'offline' };
    const ofStream = troubleOf(connection.getSnapshot());
    if (ofStream !== undefined) return ofStream;
    if (degradedSince !== undefined) return { why: 'degraded', since: degradedSince };
    return isIncomplete ? { why: 'loading' } : undefined;
  }

  function becomeLive(): void {
    lastLiveAt = Date.now();
    if (state.kind === 'live') return;
    const caughtUp =
      state.kind === 'stale' && state.since > 0
        ? { since: state.since, until: lastLiveAt, orders: changed.size }
        : undefined;
    become({ kind: 'live', caughtUp });
    if (caughtUp === undefined) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (state.kind === 'live') become({ kind: 'live', caughtUp: undefined });
    }, saysFor);
  }

  function become(next: Freshness): void {
    state = next;
    announce();
  }
}

interface Trouble {
  readonly why: Why;
  readonly since?: number;
}

function troubleOf(stream: ConnectionState): Trouble | undefined {
  switch (stream.kind) {
    case 'live':
      return undefined;
    case 'closed':
      return { why: 'closed' };
    case 'connecting':
      return { why: stream.attempt === 0 ? 'loading' : 'connection' };
    case 'stale':
      return { why: stream.reason === 'overloaded' ? 'busy' : 'connection', since: stream.since };
  }
}
