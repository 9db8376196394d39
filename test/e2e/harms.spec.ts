/** Regression tests of faults that once harmed the work at a till. */
import type { Locator } from '@playwright/test';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

async function boxOf(locator: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = await locator.boundingBox();
  if (box === null) throw new Error('the element is not on the page');
  return box;
}

test('another till’s sale changes no currency here', async ({ openTill }) => {
  const reference = newReference();
  const till = await openTill('owner@kopi.example');
  const colleague = await ApiUser.named('owner@kopi.example');
  await expect(till.page.getByLabel('Currency')).toHaveValue('IDR');
  await till.page.getByLabel('Amount').fill('125000');
  const elsewhere = newReference();
  await colleague.create(elsewhere, 1250, 'EUR');
  await expect(till.order(elsewhere)).toBeVisible();
  await till.page.getByRole('textbox', { name: /^Reference/ }).fill(reference);
  await till.page.getByRole('button', { name: 'Create order' }).click();
  await expect(till.order(reference)).toContainText(/IDR.125,000/);
  await till.page.reload();
  await expect(till.page.getByLabel('Currency')).toHaveValue('IDR');
});

test('a second tap hits no other order, and a new order moves none', async ({ openTill }) => {
  const owner = await ApiUser.named('owner@demo.example');
  const [first, second] = [newReference(), newReference()];
  for (const reference of [second, first]) await owner.pay(await owner.create(reference));
  const till = await openTill('owner@demo.example', {
    viewport: { width: 800, height: 1100 },
    hasTouch: true,
  });
  const button = till.order(first).getByRole('button', { name: 'Start preparing' });
  await button.scrollIntoViewIfNeeded();
  const complete = till.order(first).getByRole('button', { name: 'Complete' });
  // After a touch the list holds back new orders, including those of other tests.
  await till.order(first).locator('.order-facts').tap();
  await expect(till.page.getByTestId('orders')).toHaveAttribute('data-settling', 'false');
  const { x, y, width, height } = await boxOf(complete);
  const where = await boxOf(till.order(second));

  await till.page.touchscreen.tap(x + width / 2, y + height / 2);
  await expect(till.page.getByTestId('gap').filter({ hasText: first })).toBeVisible();
  await owner.create(newReference()); // and a new one comes meanwhile
  await expect(till.page.getByRole('button', { name: /^Show \d+ new order/ })).toBeVisible();
  await till.page.touchscreen.tap(x + width / 2, y + height / 2);
  expect(await boxOf(till.order(second)), 'nothing has moved').toEqual(where);
  await expect(till.order(second)).toHaveAttribute('data-status', 'paid');
});

test('orders can be seen and changed without the gateway', async ({ openTill }) => {
  const [reference, another] = [newReference(), newReference()];
  const order = await (await ApiUser.named('owner@demo.example')).create(reference);
  const till = await openTill('cashier@demo.example');
  await till.page.route('**/api/sse/**', (route) => route.abort());
  await till.page.reload();
  await expect(till.order(reference)).toBeVisible();
  await expect(till.connection).toHaveText(/^Not live/);
  await till.press('Take payment', reference);
  await expect(till.order(reference)).toHaveAttribute('data-status', 'paid');
  await till.create('3.50', another);
  await expect(till.page.getByText(`Order ${another} created.`)).toBeVisible();
  await till.find(reference);
  // Changes by others appear when the list is loaded again.
  await (await ApiUser.named('kitchen@demo.example')).changeStatus(order, 'ready');
  await expect(till.order(reference)).toHaveAttribute('data-status', 'ready');
});

test('the badge does not say Live while the browser is offline', async ({ openTill }) => {
  const till = await openTill('viewer@demo.example');
  await till.page.context().setOffline(true);
  await expect(till.connection).toHaveText(/^Not live since /, { timeout: 5000 });
  await expect(till.page.getByTestId('stale')).toContainText('This device is offline.');
  await till.page.context().setOffline(false);
  await expect(till.connection).toHaveText('Live');
  await expect(till.page.getByTestId('caught-up')).toContainText('Live again.');
});

test('the bell marks only the notifications that were in view as read', async ({ openTill }) => {
  const owner = await ApiUser.named('owner@demo.example');
  for (let i = 0; i < 30; i += 1) await owner.pay(await owner.create(newReference()));
  // No other test reads this user's notifications.
  const till = await openTill('manager@kopi.example');
  const theirs = await ApiUser.named('owner@kopi.example');
  for (let i = 0; i < 30; i += 1) await theirs.pay(await theirs.create(newReference(), 1000, 'IDR'));
  const bell = till.page.getByRole('button', { name: /^Notifications/ });
  await expect(till.page.getByTestId('notification')).toHaveCount(30, { timeout: 60_000 });
  await bell.click();
  const rows = till.page.getByTestId('notification');
  await expect(rows.first()).toBeInViewport();
  await till.page.waitForTimeout(1000); // a notification in view is marked as read after half a second
  await till.page.keyboard.press('Escape');
  await expect.poll(async () => Number(await till.page.getByTestId('unread').textContent())).toBeLessThan(30);
  expect(Number(await till.page.getByTestId('unread').textContent()), 'those out of sight').toBeGreaterThan(
    10,
  );
});

test('a request without a response is retried, and creates one order', async ({ openTill }) => {
  const reference = newReference();
  const till = await openTill('cashier@demo.example');
  const keys: (string | undefined)[] = [];
  await till.page.route('**/api/orders', async (route) => {
    keys.push(route.request().headers()['idempotency-key']);
    if (keys.length > 1) await route.continue(); // the first request never gets a response
  });
  await till.create('9.75', reference);
  await expect(till.page.getByText(`Order ${reference} created.`)).toBeVisible();
  expect(keys).toHaveLength(2);
  expect(keys[1]).toBe(keys[0]);
  await expect(till.order(reference)).toHaveCount(1);
});

test('a half-typed order survives a reload, and an ambiguous amount needs confirmation', async ({
  openTill,
}) => {
  const reference = newReference();
  const till = await openTill('owner@kopi.example');
  await till.page.getByLabel('Amount').fill('125.000');
  await till.page.getByRole('textbox', { name: /^Reference/ }).fill(reference);
  await till.page.reload();
  await expect(till.page.getByLabel('Amount')).toHaveValue('125.000');
  await till.page.getByRole('button', { name: 'Create order' }).click();
  await expect(till.page.getByText('Which amount do you mean?').first()).toBeVisible();
  await till.page.getByRole('button', { name: /^IDR.125,000$/ }).click();
  await till.page.getByRole('button', { name: 'Create order' }).click();
  await expect(till.order(reference)).toContainText(/IDR.125,000/);
});
