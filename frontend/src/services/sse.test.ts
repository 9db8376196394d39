import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Frame } from '../model/frame';
import { abortable, eventStream, problem } from '../testing/http';
import { type ConnectionState, openStream, type Stream } from './sse';

const ready = 'id: 1\nevent: ready\ndata: {"tenant_id":"demo","resumed":false}\n\n';

interface Attempt {
  readonly headers: Headers;
  readonly signal: AbortSignal;
}

/** A connection whose attempts are answered from a list; the last answer is given again and again. */
function setup(answers: (() => Response | Error)[], renew: () => Promise<boolean> = async () => false) {
  const attempts: Attempt[] = [];
  const frames: Frame[] = [];
  const bad: unknown[] = [];
  const states: ConnectionState[] = [];
  let token = 'first';
  const stream = openStream({
    fetch: (_url, init = {}) => {
      const answer = answers[Math.min(attempts.length, answers.length - 1)]?.() ?? new Error('no answer');
      const signal = init.signal ?? new AbortController().signal;
      attempts.push({ headers: new Headers(init.headers), signal });
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(abortable(answer, signal));
    },
    credentials: {
      token: () => token,
      renew: async () => {
        const ok = await renew();
        if (ok) token = 'second';
        return ok;
      },
    },
    onFrame: (frame) => frames.push(frame),
    onBadFrame: (err) => bad.push(err),
    random: () => 0,
  });
  stream.subscribe(() => states.push(stream.getSnapshot()));
  opened.push(stream);
  return { stream, attempts, frames, bad, states };
}

const opened: Stream[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});

afterEach(() => {
  for (const stream of opened.splice(0)) stream.close();
  vi.useRealTimers();
});

/** Lets what is under way happen, without time passing. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

describe('a live stream', () => {
  it('is live once it is ready, and hands on its frames', async () => {
    const { stream, frames, attempts } = setup([
      () => eventStream(`${ready}: \nevent: later\ndata: {}\n\n`, 'stays open'),
    ]);
    expect(stream.getSnapshot()).toEqual({ kind: 'connecting', attempt: 0 });
    await settle();
    expect(stream.getSnapshot()).toEqual({ kind: 'live' });
    expect(frames).toEqual([
      { kind: 'ready', resumed: false, live: true, heartbeat: 0 },
      { kind: 'unknown', name: 'later' },
    ]);
    expect(attempts[0]?.headers.get('Authorization')).toBe('Bearer first');
    expect(attempts[0]?.headers.get('Accept')).toBe('text/event-stream');
    expect(attempts[0]?.headers.has('Last-Event-ID')).toBe(false);
  });

  it('reports a frame that breaks the contract and reads on', async () => {
    const { stream, bad, frames } = setup([
      () => eventStream(`event: order_paid\ndata: {}\n\n${ready}`, 'stays open'),
    ]);
    await settle();
    expect(bad).toHaveLength(1);
    expect(frames).toHaveLength(1);
    expect(stream.getSnapshot().kind).toBe('live');
  });

  it('gives up on an endless line that is not an event stream', async () => {
    const { states, attempts } = setup([() => eventStream(`data: ${'x'.repeat(1 << 21)}`, 'stays open')]);
    await settle();
    expect(attempts[0]?.signal.aborted).toBe(true);
    expect(states.at(-1)).toMatchObject({ kind: 'stale', reason: 'lost' });
  });
});

describe('reconnecting', () => {
  it('sends the last id, also over attempts that failed, and as UTF-8', async () => {
    const withId = `${ready}id: ü-7.n\nevent: x\ndata: {}\n\ndata: without an id\n\n`;
    const { attempts } = setup([
      () => eventStream(withId),
      () => new TypeError('down'),
      () => eventStream(ready),
    ]);
    await vi.advanceTimersByTimeAsync(4000);
    expect(attempts.length).toBeGreaterThanOrEqual(3);
    const bytes = [...(attempts[2]?.headers.get('Last-Event-ID') ?? '')].map((c) => c.charCodeAt(0));
    expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe('ü-7.n');
  });

  it('waits as long as retry: says', async () => {
    const { stream, attempts } = setup([() => eventStream(`${ready}retry: 7000\n\n`)]);
    await settle();
    expect(stream.getSnapshot()).toMatchObject({ kind: 'stale', reason: 'ended', retryAt: 7000, attempt: 1 });
    await vi.advanceTimersByTimeAsync(6999);
    expect(attempts).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(attempts).toHaveLength(2);
  });

  it('forgets an old retry: with the next stream', async () => {
    const { attempts } = setup([() => eventStream(`retry: 20000\n\n${ready}`), () => eventStream(ready)]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(attempts).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(attempts).toHaveLength(3);
  });

  it('backs off from failure to failure, to half a minute at most, and begins anew once live', async () => {
    let answer: () => Response | Error = () => new TypeError('down');
    const { states } = setup([() => answer()]);
    await vi.advanceTimersByTimeAsync(150_000);
    const waits = states.filter((s) => s.kind === 'stale').map((s) => s.retryAt);
    const gaps = waits.map((at, i) => at - (waits[i - 1] ?? 0));
    expect(gaps.slice(0, 7)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);

    answer = () => eventStream(ready);
    await vi.advanceTimersByTimeAsync(30_000);
    const last = states.filter((s) => s.kind === 'stale').at(-1);
    expect(last).toMatchObject({ reason: 'ended', attempt: 1 });
  });

  it('notices a silent connection after a minute, however live it looks', async () => {
    const { stream, attempts } = setup([() => eventStream(ready, 'stays open')]);
    await vi.advanceTimersByTimeAsync(59_999);
    expect(stream.getSnapshot().kind).toBe('live');
    await vi.advanceTimersByTimeAsync(1);
    expect(stream.getSnapshot()).toMatchObject({ kind: 'stale', reason: 'silent' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(attempts).toHaveLength(2);
  });

  it('takes any byte for a sign of life, comments without a blank line too', async () => {
    let say: (text: string) => void = () => undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        say = (text) => controller.enqueue(new TextEncoder().encode(text));
      },
    });
    const headers = { 'Content-Type': 'text/event-stream; charset=utf-8' };
    const { stream, attempts } = setup([() => new Response(body, { headers })]);
    say(ready);
    for (let i = 0; i < 10; i += 1) {
      await vi.advanceTimersByTimeAsync(50_000);
      say(':\n');
    }
    await settle();
    expect(stream.getSnapshot().kind).toBe('live');
    expect(attempts).toHaveLength(1);
  });

  it('does not wait longer than ten seconds for an answer', async () => {
    const signals: AbortSignal[] = [];
    const stream = openStream({
      fetch: (_url, init) =>
        new Promise((_resolve, reject) => {
          const signal = init?.signal ?? new AbortController().signal;
          signals.push(signal);
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
      credentials: { token: () => 'first', renew: async () => false },
      onFrame: () => undefined,
      onBadFrame: () => undefined,
      random: () => 0,
    });
    opened.push(stream);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(stream.getSnapshot()).toMatchObject({ kind: 'stale', reason: 'silent' });
  });

  it('comes back at once when asked to', async () => {
    const { stream, attempts } = setup([() => new TypeError('down'), () => eventStream(ready, 'stays open')]);
    await settle();
    stream.retryNow();
    await settle();
    expect(attempts).toHaveLength(2);
    expect(stream.getSnapshot().kind).toBe('live');
  });

  it('opens anew at once with a fresh token, keeping its place', async () => {
    const { stream, attempts } = setup([() => eventStream(ready, 'stays open')]);
    await vi.advanceTimersByTimeAsync(10_000);
    stream.reopen();
    await settle();
    expect(attempts).toHaveLength(2);
    expect(attempts[0]?.signal.aborted).toBe(true);
    expect(attempts[1]?.headers.get('Last-Event-ID')).toBe('1');
    expect(stream.getSnapshot().kind).toBe('live');
  });
});

it('does not open anew in a loop if every token is about to expire', async () => {
  const expiring = `${ready}id: 1\nevent: token_expiring\ndata: {}\n\n`;
  const { stream, attempts } = setup([() => eventStream(expiring, 'stays open')]);
  const stop = stream.subscribe(() => queueMicrotask(() => stream.reopen()));
  await vi.advanceTimersByTimeAsync(5000);
  stop();
  expect(attempts.length).toBeLessThanOrEqual(6);
});

describe('refusals', () => {
  it.each([
    ['204', () => new Response(null, { status: 204 }), 'dismissed'],
    ['401', () => problem(401, 'expired'), 'unauthorized'],
    ['403', () => problem(403, 'no'), 'forbidden'],
  ])('%s is final', async (_status, answer, reason) => {
    const { stream, attempts } = setup([answer]);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(stream.getSnapshot()).toEqual({ kind: 'closed', reason });
    expect(attempts).toHaveLength(1);
  });

  it.each([
    ['500', () => problem(500, 'oops'), 'refused', 1000],
    ['404', () => problem(404, 'not yet routed'), 'refused', 1000],
    [
      'a page instead of a stream',
      () => new Response('<html>', { headers: { 'Content-Type': 'text/html' } }),
      'refused',
      1000,
    ],
    ['503', () => problem(503, 'full'), 'overloaded', 1000],
    ['a network that is down', () => new TypeError('down'), 'lost', 1000],
    [
      '503 with seconds',
      () => new Response('', { status: 503, headers: { 'Retry-After': '12' } }),
      'overloaded',
      12_000,
    ],
    [
      '429 with a date',
      () => new Response('', { status: 429, headers: { 'Retry-After': new Date(15_000).toUTCString() } }),
      'overloaded',
      15_000,
    ],
    [
      '503 with nonsense',
      () => new Response('', { status: 503, headers: { 'Retry-After': 'soon' } }),
      'overloaded',
      1000,
    ],
  ])('%s is tried again', async (_case, answer, reason, wait) => {
    const { stream, attempts } = setup([answer]);
    await settle();
    expect(stream.getSnapshot()).toMatchObject({ kind: 'stale', reason, retryAt: wait, attempt: 1 });
    await vi.advanceTimersByTimeAsync(wait);
    expect(attempts).toHaveLength(2);
  });

  it('waits out an overload, whoever is impatient', async () => {
    const overloaded = 'retry: 9000\n\nid: 0\nevent: overloaded\ndata: {}\n\n';
    const { stream, attempts } = setup([() => eventStream(overloaded)]);
    await settle();
    expect(stream.getSnapshot()).toMatchObject({
      kind: 'stale',
      reason: 'overloaded',
      retryAt: 9000,
      attempt: 1,
    });
    stream.retryNow();
    await settle();
    expect(attempts).toHaveLength(1);
  });

  it('renews the token once after a 401', async () => {
    const { stream, attempts } = setup(
      [() => problem(401, 'expired'), () => eventStream(ready, 'stays open')],
      async () => true,
    );
    await settle();
    expect(attempts.map((a) => a.headers.get('Authorization'))).toEqual(['Bearer first', 'Bearer second']);
    expect(stream.getSnapshot().kind).toBe('live');
  });

  it('does not renew again if the fresh token is refused too', async () => {
    const { stream, attempts } = setup([() => problem(401, 'expired')], async () => true);
    await settle();
    expect(attempts).toHaveLength(2);
    expect(stream.getSnapshot()).toEqual({ kind: 'closed', reason: 'unauthorized' });
  });
});

describe('close', () => {
  it('aborts the connection, and nothing is heard of it again', async () => {
    const { stream, attempts, states } = setup([() => eventStream(ready, 'stays open')]);
    await settle();
    stream.close();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(attempts).toHaveLength(1);
    expect(attempts[0]?.signal.aborted).toBe(true);
    expect(states.at(-1)).toEqual({ kind: 'closed', reason: 'stopped' });
  });

  it('ends the waiting of a stale connection', async () => {
    const { stream, attempts } = setup([() => new TypeError('down')]);
    await settle();
    stream.close();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(attempts).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
