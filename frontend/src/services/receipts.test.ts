import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openReceipts } from './receipts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function setup(answer: () => Promise<Response> = async () => new Response(null, { status: 204 })) {
  const sent: { path: string; body: unknown }[] = [];
  const receipts = openReceipts(
    (path, init) => {
      sent.push({ path, body: JSON.parse(String(init?.body)) as unknown });
      return answer();
    },
    (then) => setTimeout(then, 16),
  );
  return { receipts, sent };
}

describe('receipts', () => {
  it('says how long ago a frame came and was painted', async () => {
    const { receipts, sent } = setup();
    receipts.opened();
    await vi.advanceTimersByTimeAsync(2000);
    receipts.came('e-1', traceparent);
    await vi.advanceTimersByTimeAsync(1016);
    expect(sent).toEqual([
      {
        path: '/api/sse/receipts',
        body: { receipts: [{ event_id: 'e-1', traceparent, arrived_ms_ago: 1016, painted_ms_ago: 1000 }] },
      },
    ]);
  });

  it('leaves out what may be replayed', async () => {
    const { receipts, sent } = setup();
    receipts.came('before a stream', traceparent);
    receipts.opened();
    await vi.advanceTimersByTimeAsync(1999);
    receipts.came('e-1', traceparent);
    await vi.advanceTimersByTimeAsync(5000);
    expect(sent).toEqual([]);
  });

  it('shares requests, and drops what is too much or cannot be sent', async () => {
    const { receipts, sent } = setup(async () => {
      throw new Error('no network');
    });
    receipts.opened();
    await vi.advanceTimersByTimeAsync(2000);
    for (let i = 0; i < 12; i += 1) receipts.came(`e-${String(i)}`, traceparent);
    await vi.advanceTimersByTimeAsync(5000);
    expect(sent.map(({ body }) => (body as { receipts: unknown[] }).receipts.length)).toEqual([10]);
    receipts.came('e-13', traceparent);
    await vi.advanceTimersByTimeAsync(5000);
    expect(sent).toHaveLength(2);
  });

  it('sends nothing once it is closed', async () => {
    const { receipts, sent } = setup();
    receipts.opened();
    await vi.advanceTimersByTimeAsync(2000);
    receipts.came('e-1', traceparent);
    await vi.advanceTimersByTimeAsync(500);
    receipts.close();
    await vi.advanceTimersByTimeAsync(5000);
    expect(sent).toEqual([]);
  });
});
