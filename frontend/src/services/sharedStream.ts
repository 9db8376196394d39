/**
 * One stream for all tabs of a user in this browser: HTTP/1.1 gives an origin six connections, so six tabs with a stream each
 * would leave none for a request. The tab that holds a Web Lock opens the stream and passes on its frames; the others listen on a
 * BroadcastChannel. When it closes, the next tab gets the lock and resumes after the last event that it has received. If it
 * hangs, another tab takes the lock.
 *
 * Guarantees: a tab that joins receives the state only after it has started to listen, and then loads the snapshot; frames keep
 * their order.
 */
import type { Frame } from '../model/frame';
import { type ConnectionState, openStream, type Stream, type StreamOptions } from './sse';

export interface Sharing {
  /** The same for all tabs of one user. */
  readonly name: string;
  readonly locks: Pick<LockManager, 'request'>;
  readonly channel: (name: string) => BroadcastChannel;
}

type Message =
  /** A tab joins. */
  | { readonly kind: 'hello' }
  /** To all who join: how the stream is. `ready` is undefined without a stream, `degraded` while the feed is guaranteed. */
  | {
      readonly kind: 'welcome';
      readonly state: ConnectionState;
      readonly ready: Ready | undefined;
      readonly degraded: Frame | undefined;
    }
  | { readonly kind: 'state'; readonly state: ConnectionState }
  | { readonly kind: 'frame'; readonly frame: Frame; readonly id: string }
  | { readonly kind: 'bad_frame' }
  /** The leading tab is not hung. */
  | { readonly kind: 'alive' }
  /** A tab's user asks to try now. */
  | { readonly kind: 'retry' };

type Ready = Extract<Frame, { kind: 'ready' }>;

/** The leading tab sends a message at least this often, also without a stream, so that the others detect it if it hangs. */
const beatEvery = 2000;
const longestSilence = 2 * beatEvery + 1000;
const longestSpread = 1000;

export function openSharedStream(options: StreamOptions, sharing: Sharing | undefined): Stream {
  return sharing === undefined ? openStream(options) : share(options, sharing);
}

function share(options: StreamOptions, { name, locks, channel: open }: Sharing): Stream {
  const listeners = new Set<() => void>();
  const channel = open(name);
  const ended = new AbortController();
  let state: ConnectionState = { kind: 'connecting', attempt: 0 };
  let lastEventId = '';
  let isWelcome = false;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let own: Stream | undefined;
  /** The state of the current stream, for a tab that joins. */
  let ready: Ready | undefined;
  let degraded: Frame | undefined;
  let resign: (() => void) | undefined;
  let taking: ReturnType<typeof setTimeout> | undefined;

  channel.addEventListener('message', ({ data }: MessageEvent<Message>) =>
    own === undefined ? hear(data) : answer(data),
  );
  say({ kind: 'hello' });
  expectMore();
  queue();

  return {
    getSnapshot: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    retryNow() {
      if (own === undefined) say({ kind: 'retry' });
      else own.retryNow();
    },
    reopen: (isRenewal) => own?.reopen(isRenewal),
    close() {
      become({ kind: 'closed', reason: 'stopped' });
      clearTimeout(silence);
      clearTimeout(taking);
      own?.close();
      ended.abort();
      channel.close();
    },
  };

  /** Waits for the lock, again and again: a tab that hung may have lost it to another. */
  function queue(): void {
    locks.request(name, { signal: ended.signal }, lead).catch(() => {
      if (ended.signal.aborted) return; // this tab is closed
      resign?.();
      queue();
    });
  }

  /** Takes the lock from a tab that hangs. The last tab to do so leads. */
  function takeOver(): void {
    if (state.kind === 'closed' || own !== undefined) return;
    locks.request(name, { steal: true }, lead).catch(() => resign?.());
  }

  /** Holds the lock until the stream is closed for good. */
  function lead(): Promise<void> {
    if (ended.signal.aborted || own !== undefined) return Promise.resolve();
    clearTimeout(silence);
    clearTimeout(taking);
    return new Promise((release) => {
      const stream = openStream({
        ...options,
        lastEventId,
        onFrame(frame, id) {
          keep(frame);
          options.onFrame(frame, id);
          // A token is each tab's own.
          if (frame.kind !== 'token_expiring') say({ kind: 'frame', frame, id });
        },
        onBadFrame(err) {
          options.onBadFrame(err);
          say({ kind: 'bad_frame' });
        },
        onByte: () => say({ kind: 'alive' }),
      });
      own = stream;
      follow();
      const unfollow = stream.subscribe(follow);
      const beat = setInterval(() => say({ kind: 'alive' }), beatEvery);
      resign = () => {
        unfollow();
        stream.close();
        end();
        become({ kind: 'connecting', attempt: 1 });
        say({ kind: 'hello' });
        expectMore();
      };

      function end(): void {
        clearInterval(beat);
        own = undefined;
        resign = undefined;
        ready = undefined;
        degraded = undefined;
        isWelcome = false;
        release();
      }

      function follow(): void {
        const now = stream.getSnapshot();
        become(now);
        // Another tab's token may be valid when this one's is not, so release the lock.
        if (now.kind === 'closed') end();
        else say({ kind: 'state', state: now });
      }
    });
  }

  function keep(frame: Frame): void {
    if (frame.kind === 'ready') ready = frame;
    if (frame.kind === 'live' && ready !== undefined) ready = { ...ready, live: true };
    if (frame.kind === 'degraded' && ready !== undefined) ready = { ...ready, live: false };
    if (frame.kind === 'degraded') degraded = frame;
    if (ready?.live === true) degraded = undefined;
  }

  function answer(message: Message): void {
    if (message.kind === 'hello') say({ kind: 'welcome', state, ready, degraded });
    if (message.kind === 'retry') own?.retryNow();
  }

  function hear(message: Message): void {
    if (message.kind !== 'hello' && message.kind !== 'retry') expectMore(); // those are of tabs that listen, too
    switch (message.kind) {
      case 'welcome':
        if (!isWelcome) join(message);
        return;
      case 'state':
        become(message.state);
        return;
      case 'frame':
        isWelcome ||= message.frame.kind === 'ready';
        if (message.id !== '') lastEventId = message.id;
        options.onFrame(message.frame, message.id);
        return;
      case 'bad_frame':
        options.onBadFrame(new Error('a frame that another tab could not read'));
        return;
      case 'alive':
      case 'hello':
      case 'retry':
        return;
    }
  }

  function join(welcome: Extract<Message, { kind: 'welcome' }>): void {
    isWelcome = true;
    // Changes from before this tab listened are in the snapshot.
    if (welcome.ready !== undefined) options.onFrame({ ...welcome.ready, resumed: false }, '');
    if (welcome.degraded !== undefined) options.onFrame(welcome.degraded, '');
    become(welcome.state);
  }

  /** The leading tab may hang: without messages the stream counts as ended until the next one. */
  function expectMore(): void {
    const heardAt = Date.now();
    if (state.kind === 'stale' && state.reason === 'silent') say({ kind: 'hello' });
    clearTimeout(silence);
    clearTimeout(taking);
    silence = setTimeout(() => {
      isWelcome = false;
      become({ kind: 'stale', reason: 'silent', since: heardAt, retryAt: heardAt, attempt: 1 });
      // A random wait, so that not all tabs take over at once: the others receive the first one's message.
      taking = setTimeout(takeOver, (options.random ?? Math.random)() * longestSpread);
    }, longestSilence);
  }

  function say(message: Message): void {
    if (!ended.signal.aborted) channel.postMessage(message);
  }

  function become(next: ConnectionState): void {
    if (state.kind === 'closed') return;
    state = next;
    for (const listener of listeners) listener();
  }
}

/** The means of this browser to share a stream; undefined on plain http beyond localhost, where there are no Web Locks. */
export function sharingIn(browser: Window, name: string): Sharing | undefined {
  const locks: LockManager | undefined = browser.navigator.locks;
  if (locks === undefined || typeof BroadcastChannel === 'undefined') return undefined;
  return { name: `orderbell ${name}`, locks, channel: (of) => new BroadcastChannel(of) };
}
