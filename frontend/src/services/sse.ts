/**
 * The connection to GET /api/sse/notifications: one at a time, opened again whenever it ends, with the Last-Event-ID.
 *
 * It uses fetch and not EventSource, because the token belongs in a header, a status other than 200 must not end it for good, and
 * it must detect a silent connection. eventsource-parser reads the format. This module only parses frames; it has no rules of orders.
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { type Frame, parseFrame } from '../model/frame';
import { api } from '../paths';
import type { Credentials } from './authorized';
import { type Pause, pause } from './pause';
import type { Fetch } from './problem';

export type ConnectionState =
  /** `attempt` is 0 at first and after each live connection. */
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'live' }
  /** Disconnected: the list may be old. The next attempt is at `retryAt` (ms since 1970). */
  | {
      readonly kind: 'stale';
      readonly reason: StaleReason;
      /** When the last byte arrived, or the stream was opened. */
      readonly since: number;
      readonly retryAt: number;
      readonly attempt: number;
    }
  /** No further attempt is made. */
  | { readonly kind: 'closed'; readonly reason: ClosedReason };

/** ended: the server closed the stream; lost: the network failed; silent: no byte arrived; overloaded, refused: the server said so. */
export type StaleReason = 'ended' | 'lost' | 'silent' | 'overloaded' | 'refused';
export type ClosedReason = 'stopped' | 'unauthorized' | 'forbidden' | 'dismissed';

export interface Stream {
  getSnapshot(): ConnectionState;
  subscribe(listener: () => void): () => void;
  /** Ends the wait of a stale connection, for example when the network is back or the user asks. */
  retryNow(): void;
  /** Ends the current connection and opens another. With `isRenewal`, for a new token, the state stays live meanwhile. */
  reopen(isRenewal?: boolean): void;
  close(): void;
}

export interface StreamOptions {
  readonly fetch: Fetch;
  readonly credentials: Credentials;
  /** `id` is the stream's last event id. */
  readonly onFrame: (frame: Frame, id: string) => void;
  /** A frame that breaks the contract: a change may have been missed. */
  readonly onBadFrame: (err: unknown) => void;
  /** The last event id; "" for a first connection. */
  readonly lastEventId?: string;
  /** Called with each piece of the stream, heartbeats included. */
  readonly onByte?: () => void;
  /** 0 ≤ random() < 1, spreads reconnects. */
  readonly random?: () => number;
}

/** Requests a heartbeat every two seconds, so that a hung gateway or a dead network is detected within five. */
const address = `${api.stream}?heartbeat=2`;

/** Until the stream says `retry:`. */
const defaultRetry = 1000;
/** The longest backoff, unless the server asks for more: a till should reconnect soon after the network is back. */
const longestBackoff = 30_000;
/** Until `ready` says how often the gateway sends a byte: older gateways send one every 25 s. */
const longestSilence = 60_000;
/** How long a stream with this heartbeat may be silent (sse-contract.md). */
function allowedSilence(heartbeat: number): number {
  return heartbeat === 0 ? longestSilence : 2 * heartbeat + 1000;
}
/** For the answer's headers. */
const longestConnect = 10_000;
/** If a stream is reopened sooner than this, its token is always about to expire: this prevents a loop of reconnects. */
const shortestLife = 10_000;
/** Larger than any frame: a larger one is not from an event stream. */
const largestFrame = 1 << 20;

type Ending =
  | { readonly kind: 'again'; readonly reason: StaleReason; readonly retryAfter?: number }
  | { readonly kind: 'at_once' }
  | { readonly kind: 'final'; readonly reason: ClosedReason };

export function openStream(options: StreamOptions): Stream {
  const { credentials, random = Math.random } = options;
  const listeners = new Set<() => void>();
  let state: ConnectionState = { kind: 'connecting', attempt: 0 };
  let lastEventId = options.lastEventId ?? '';
  let retry = defaultRetry;
  let failures = 0;
  let lastByteAt = Date.now();
  let silence = longestSilence;
  let renewedInVain = false;
  let renews = false;
  let current: AbortController | undefined;
  let waiting: Pause | undefined;

  void run();

  return {
    getSnapshot: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    retryNow() {
      if (state.kind === 'stale' && state.reason !== 'overloaded') waiting?.end();
    },
    reopen(isRenewal = false) {
      if (state.kind !== 'live') return;
      renews = isRenewal;
      current?.abort(reopened);
    },
    close() {
      become({ kind: 'closed', reason: 'stopped' });
      current?.abort();
      waiting?.end();
    },
  };

  async function run(): Promise<void> {
    while (!isClosed()) {
      const ending = await attempt(patience());
      if (isClosed()) return;
      if (ending.kind === 'final') return become({ kind: 'closed', reason: ending.reason });
      if (ending.kind === 'again') await wait(ending);
    }
  }

  /** How long the next attempt may take. A renewal of the token is not an outage: missed events are replayed. */
  function patience(): number {
    const isQuiet = renews && state.kind === 'live';
    renews = false;
    if (isQuiet) return Math.min(longestConnect, silence);
    become({ kind: 'connecting', attempt: failures });
    return longestConnect;
  }

  async function attempt(longest: number): Promise<Ending> {
    const began = Date.now();
    current = new AbortController();
    const { signal } = current;
    const watchdog = startWatchdog(longest, current);
    try {
      const response = await options.fetch(address, { headers: requestHeaders(), cache: 'no-store', signal });
      watchdog.allow(silence);
      const refused = await refusal(response);
      if (refused !== undefined || response.body === null) {
        await response.body?.cancel();
        return refused ?? { kind: 'again', reason: 'refused' };
      }
      lastByteAt = Date.now();
      retry = defaultRetry; // the retry time of the last stream does not apply any more, such as a long one at overload
      return await read(response.body, watchdog);
    } catch {
      return brokenOff(signal, began);
    } finally {
      watchdog.stop();
      current.abort(); // frees the socket where the stream is left early
    }
  }

  function requestHeaders(): Record<string, string> {
    return {
      Accept: 'text/event-stream',
      Authorization: `Bearer ${credentials.token()}`,
      ...(lastEventId === '' ? {} : { 'Last-Event-ID': asHeaderValue(lastEventId) }),
    };
  }

  /** Why a response is not a stream, or undefined if it is one. */
  async function refusal(response: Response): Promise<Ending | undefined> {
    switch (response.status) {
      case 200: {
        const isStream = (response.headers.get('Content-Type') ?? '').startsWith('text/event-stream');
        return isStream ? undefined : { kind: 'again', reason: 'refused' };
      }
      case 204: // how a server tells an event source to stop (WHATWG HTML §9.2)
        return { kind: 'final', reason: 'dismissed' };
      case 401: {
        if (renewedInVain || !(await credentials.renew())) return { kind: 'final', reason: 'unauthorized' };
        renewedInVain = true;
        return { kind: 'at_once' };
      }
      case 403:
        return { kind: 'final', reason: 'forbidden' };
      case 429:
      case 503: {
        const retryAfter = parseRetryAfter(response.headers.get('Retry-After'));
        return { kind: 'again', reason: 'overloaded', ...(retryAfter === undefined ? {} : { retryAfter }) };
      }
      default:
        return { kind: 'again', reason: 'refused' };
    }
  }

  async function read(body: ReadableStream<Uint8Array>, watchdog: Watchdog): Promise<Ending> {
    let overloaded = false;
    let tooLarge = false;
    const parser = createParser({
      maxBufferSize: largestFrame,
      onRetry(interval) {
        retry = interval;
      },
      onEvent(message) {
        const frame = receive(message);
        if (frame?.kind === 'overloaded') overloaded = true;
      },
      onError(err) {
        if (err.type === 'max-buffer-size-exceeded') tooLarge = true;
      },
    });
    const reader = body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || isClosed()) return { kind: 'again', reason: overloaded ? 'overloaded' : 'ended' };
      lastByteAt = Date.now();
      options.onByte?.();
      parser.feed(decoder.decode(value, { stream: true }));
      watchdog.allow(silence); // any byte, comments included
      if (tooLarge) return { kind: 'again', reason: 'lost' };
    }
  }

  function receive(message: EventSourceMessage): Frame | undefined {
    if (isClosed()) return undefined;
    if (message.id !== undefined) lastEventId = message.id;
    try {
      const frame = parseFrame(message.event ?? 'message', message.data);
      if (frame.kind === 'ready') {
        silence = allowedSilence(frame.heartbeat);
        failures = 0;
        renewedInVain = false;
      }
      options.onFrame(frame, lastEventId);
      if (frame.kind === 'ready') become({ kind: 'live' }); // the loads that `ready` requests have started
      return frame;
    } catch (err) {
      options.onBadFrame(err);
      return undefined;
    }
  }

  /** Waits at least as long as the server asked, longer after each consecutive failure, and with jitter. */
  async function wait(ending: Ending & { kind: 'again' }): Promise<void> {
    const asked = Math.max(retry, ending.retryAfter ?? 0);
    const backedOff = Math.max(asked, Math.min(longestBackoff, retry * 2 ** failures));
    const delay = Math.round(backedOff * (1 + random() / 2));
    failures += 1;
    become({
      kind: 'stale',
      reason: ending.reason,
      since: lastByteAt,
      retryAt: Date.now() + delay,
      attempt: failures,
    });
    waiting = pause(delay);
    await waiting.over;
    waiting = undefined;
  }

  function isClosed(): boolean {
    return state.kind === 'closed';
  }

  function become(next: ConnectionState): void {
    if (isClosed()) return;
    state = next;
    for (const listener of listeners) listener();
  }
}

function brokenOff(signal: AbortSignal, began: number): Ending {
  if (signal.reason === silent) return { kind: 'again', reason: 'silent' };
  if (signal.reason !== reopened) return { kind: 'again', reason: 'lost' };
  return Date.now() - began < shortestLife ? { kind: 'again', reason: 'ended' } : { kind: 'at_once' };
}

/** Reasons of an abort, told apart by identity. */
const silent = new Error('no byte for too long');
const reopened = new Error('reopened');

interface Watchdog {
  /** Sets how many milliseconds may pass until the next call. */
  allow(ms: number): void;
  stop(): void;
}

function startWatchdog(ms: number, controller: AbortController): Watchdog {
  let timer = setTimeout(bite, ms);
  return {
    allow(next) {
      clearTimeout(timer);
      timer = setTimeout(bite, next);
    },
    stop() {
      clearTimeout(timer);
    },
  };

  function bite(): void {
    controller.abort(silent);
  }
}

/** Seconds or an HTTP date, as milliseconds from now. */
function parseRetryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

/** fetch takes header values byte by byte; an id travels as UTF-8 (WHATWG HTML §9.2.4). */
function asHeaderValue(id: string): string {
  return String.fromCharCode(...new TextEncoder().encode(id));
}
