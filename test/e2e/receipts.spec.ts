/** The trace of an order ends at its pixels: the page says when it painted a change that was sampled. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { dataVariable, repository, runningStack } from './stack';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

interface Span {
  readonly span_id: string;
  readonly parent_id?: string;
  readonly name: string;
  readonly program: string;
  readonly start: string;
  readonly end: string;
}

/** What `orderbell trace` prints of an order. */
async function trace(...args: string[]): Promise<string> {
  const { database_url, traces_url } = runningStack();
  const data = process.env[dataVariable] ?? '';
  const { stdout } = await promisify(execFile)(
    join(repository, 'bin', 'orderbell'),
    ['trace', ...args, '--data', data, '--traces', traces_url],
    { env: { ...process.env, DATABASE_URL: database_url } },
  );
  return stdout;
}

async function spansOf(orderId: string): Promise<readonly Span[]> {
  const [change] = JSON.parse(await trace(orderId, '--json')) as { readonly spans: readonly Span[] }[];
  return change?.spans ?? [];
}

/** The names from the span up to the request that began the trace. */
function way(spans: readonly Span[], from: Span | undefined): string[] {
  const names: string[] = [];
  for (let span = from; span !== undefined && names.length < 20; ) {
    names.unshift(span.name);
    const parent: string | undefined = span.parent_id;
    span = spans.find(({ span_id }) => span_id === parent);
  }
  return names;
}

test('the trace of an order reaches the pixels of a page that is open', async ({ openTill }) => {
  const owner = await ApiUser.named('owner@demo.example');
  const till = await openTill('cashier@demo.example');
  // What comes in the first two seconds of a stream may be replayed, and has no receipt.
  const live = Date.now();
  await expect.poll(() => Date.now() - live).toBeGreaterThan(2500);
  const sent = till.page.waitForResponse((response) => response.url().endsWith('/api/sse/receipts'));
  const reference = newReference();
  const { order_id } = await owner.create(reference);
  await expect(till.order(reference)).toBeVisible();
  const receipt = await sent;
  expect(receipt.ok(), `the gateway answers ${String(receipt.status())}`).toBe(true);

  const painted = (spans: readonly Span[]) => spans.find(({ name }) => name === 'show order in browser');
  await expect.poll(async () => painted(await spansOf(order_id))?.program).toBe('sse-gateway');
  const spans = await spansOf(order_id);
  expect(way(spans, painted(spans))).toEqual([
    'POST /api/orders',
    'send orders.events',
    'process event',
    'publish to stream',
    'write frames',
    'show order in browser',
  ]);
  const { start = '', end = '' } = painted(spans) ?? {};
  expect(Date.parse(end), 'painted after it came').toBeGreaterThanOrEqual(Date.parse(start));
  expect(await trace(reference, '--tenant', 'demo')).toContain('show order in browser');
});
