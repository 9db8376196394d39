/** The pairing of this till, while its sign-in page shows a code. */
import { t } from '../i18n/words';
import { isAway } from '../services/authorized';
import type { BegunPairing, PairingAnswer, PairingClient, PairingKeeper } from '../services/pairing';
import { type Pause, pause } from '../services/pause';
import { messageOf } from '../services/problem';
import type { Session } from '../services/session';
import { announcer, type Observable } from './observable';

export type PairingState =
  /** Requests a code; `problem` says why there is no code yet, or is "". */
  | { readonly kind: 'beginning'; readonly problem: string }
  /** Waits for a manager; `problem` says why the last poll failed, or is "". */
  | {
      readonly kind: 'waiting';
      readonly code: string;
      /** Milliseconds since 1970. */
      readonly endsAt: number;
      readonly problem: string;
    }
  /** No code can be had, and waiting does not help. */
  | { readonly kind: 'over'; readonly reason: string };

export interface Pairing extends Observable<PairingState> {
  /** Continues with the code that this tab showed before a reload, or gets a new one, and waits for its approval. */
  open(): void;
  /** Gets another code. */
  begin(): void;
  /** Stops; the tab keeps its code. */
  close(): void;
  /** Stops for good. */
  cancel(): void;
  retryNow(): void;
}

export interface PairingOptions {
  readonly client: PairingClient;
  readonly keeper: PairingKeeper;
  readonly onPaired: (session: Session) => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

/** Milliseconds before the next attempt while the server is down. */
const backoff = { first: 1000, most: 30_000 };

export function pairing(options: PairingOptions): Pairing {
  const { client, keeper, onPaired, now = Date.now, random = Math.random } = options;
  const { subscribe, announce } = announcer();
  let state: PairingState = { kind: 'beginning', problem: '' };
  let current = new AbortController();
  let waiting: Pause | undefined;

  return {
    subscribe,
    getSnapshot: () => state,
    open() {
      const kept = keeper.load();
      void (kept === undefined ? begin(restarted()) : ask(kept, restarted()));
    },
    begin: () => void begin(restarted()),
    close: () => void restarted(),
    cancel() {
      restarted();
      keeper.clear();
    },
    retryNow: () => waiting?.end(),
  };

  /** Aborts the current work, and returns the signal of the new one. */
  function restarted(): AbortSignal {
    current.abort();
    waiting?.end();
    current = new AbortController();
    return current.signal;
  }

  async function begin(signal: AbortSignal): Promise<void> {
    let problem = '';
    for (let failures = 0; !signal.aborted; failures += 1) {
      become({ kind: 'beginning', problem }, signal);
      try {
        const begun = await client.begin(signal);
        if (!signal.aborted) keeper.save(begun);
        return await ask(begun, signal);
      } catch (err) {
        problem = messageOf(err);
        if (!isAway(err)) return end(problem, signal);
      }
      become({ kind: 'beginning', problem }, signal);
      await rest(backedOff(backoff.first, failures));
    }
  }

  async function ask(begun: BegunPairing, signal: AbortSignal): Promise<void> {
    const { userCode: code, endsAt, interval } = begun;
    let failures = 0;
    let problem = '';
    while (!signal.aborted) {
      become({ kind: 'waiting', code, endsAt, problem }, signal);
      const delay = failures === 0 ? interval : backedOff(interval, failures);
      await rest(Math.min(delay, endsAt - now()));
      if (signal.aborted || now() >= endsAt) return end(t('pair.expired'), signal);
      try {
        const answer = await client.ask(begun, signal);
        if (answer.kind !== 'pending') return finish(answer, signal);
        failures = 0;
        problem = '';
      } catch (err) {
        failures += 1;
        problem = messageOf(err);
      }
    }
  }

  function finish(answer: Exclude<PairingAnswer, { kind: 'pending' }>, signal: AbortSignal): void {
    if (signal.aborted) return;
    if (answer.kind === 'approved') {
      keeper.clear();
      onPaired(answer.session);
    } else {
      end(t('pair.gone'), signal);
    }
  }

  /** Longer after each consecutive failure, with jitter. */
  function backedOff(first: number, failures: number): number {
    return Math.min(backoff.most, first * 2 ** failures) * (1 + random() / 2);
  }

  async function rest(ms: number): Promise<void> {
    const own = pause(ms);
    waiting = own;
    await own.over;
    if (waiting === own) waiting = undefined;
  }

  /** The code is no longer needed. */
  function end(reason: string, signal: AbortSignal): void {
    if (!signal.aborted) keeper.clear();
    become({ kind: 'over', reason }, signal);
  }

  /** Changes the state, unless something else has begun meanwhile. */
  function become(next: PairingState, signal: AbortSignal): void {
    if (signal.aborted) return;
    state = next;
    announce();
  }
}
