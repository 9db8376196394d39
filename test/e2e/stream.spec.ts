import type { Page, Request } from '@playwright/test';
import { Line } from './proxy';
import { program, runningStack } from './stack';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

/** Records the page's requests from now on. */
function requestsOf(page: Page): { to(path: string): Request[] } {
  const requests: Request[] = [];
  page.on('request', (request) => requests.push(request));
  return { to: (path) => requests.filter((r) => new URL(r.url()).pathname === path) };
}

test('a cut connection loses nothing: the missed events are replayed once', async ({ openTill }) => {
  const [paid, created] = [newReference(), newReference()];
  const colleague = await ApiUser.named('cashier@demo.example');
  const order = await colleague.create(paid);
  const line = await Line.to(runningStack().origin);
  try {
    const till = await openTill('owner@demo.example', { at: line.origin });
    await expect(till.order(paid)).toHaveAttribute('data-status', 'submitted');
    const requests = requestsOf(till.page);

    line.cut();
    await expect(till.connection).toHaveText(/^Not live since /);
    await expect(till.page.getByTestId('stale')).toContainText('The live connection was lost.');
    await colleague.changeStatus(await colleague.pay(order), 'preparing');
    await colleague.create(created);
    await expect(till.order(created)).toHaveCount(0);

    line.mend();
    await expect(till.connection).toHaveText('Live');
    const afterwards = requestsOf(till.page); // while disconnected, the page loads the list every ten seconds
    await expect(till.order(created)).toHaveCount(1);
    await expect(till.order(paid)).toHaveAttribute('data-status', 'preparing');
    await expect(till.page.getByTestId('stale')).toHaveCount(0);
    await expect(till.page.getByTestId('caught-up')).toContainText(/\d+ orders were new or changed/);
    await expect(till.page.getByTestId('notification').filter({ hasText: paid })).toHaveCount(1);

    const resumed = requests.to('/api/sse/notifications').at(-1);
    expect(await resumed?.headerValue('Last-Event-ID')).toMatch(/./);
    // The page may repeat a load of the list that the cut interrupted. The replay needs no other.
    expect(afterwards.to('/api/orders/snapshot').length, 'the replay was enough').toBeLessThanOrEqual(1);
  } finally {
    await line.close();
  }
});

test('a killed gateway loses nothing: the page reconnects to the next one', async ({ openTill }) => {
  const [before, after] = [newReference(), newReference()];
  const colleague = await ApiUser.named('cashier@demo.example');
  const order = await colleague.create(before);
  const till = await openTill('owner@demo.example');
  await expect(till.order(before)).toHaveAttribute('data-status', 'submitted');

  const killed = program('sse-gateway').pid;
  process.kill(killed, 'SIGKILL');
  await colleague.pay(order);
  await colleague.create(after);
  await expect(till.order(before)).toHaveAttribute('data-status', 'paid');
  await expect(till.order(after)).toBeVisible();
  await expect(till.connection).toHaveText('Live');
  await expect.poll(() => program('sse-gateway').pid).not.toBe(killed);
});
