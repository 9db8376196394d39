/** What owners and managers use: an order's history, the day's figures, and the settings of the business. */
import { query, writeOrders } from './past';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

test('an order shows who changed it, who was notified, and why a user was not', async ({ openTill }) => {
  const reference = newReference();
  const cashier = await ApiUser.named('cashier@demo.example');
  await cashier.pay(await cashier.create(reference));
  const till = await openTill('manager@demo.example');
  await (await till.find(reference)).getByRole('link', { name: reference }).click();
  const changes = till.page.getByTestId('change');
  await expect(changes).toHaveCount(2);
  await expect(changes.first()).toContainText('Paid');
  await expect(changes.first()).toContainText(/by Cashier/);
  await changes.first().getByText('Who was notified').click();
  // The page loads again until the function has decided.
  await expect(
    changes.first().getByTestId('told').filter({ hasText: 'inbox: notified' }).first(),
  ).toBeVisible();
  await expect(
    changes.first().getByTestId('told').filter({ hasText: 'not notified (not for this role)' }).first(),
  ).toBeVisible();

  // A change is shown at once, and the address opens the same order.
  await (await ApiUser.named('kitchen@demo.example')).changeStatus(
    await till.page.evaluate(() => ({ order_id: location.hash.split('/').at(-1) ?? '' }) as never),
    'ready',
  );
  await expect(changes).toHaveCount(3);
  await till.page.reload();
  await expect(changes).toHaveCount(3);
});

test('a viewer does not see the decisions about other users', async ({ openTill }) => {
  const reference = newReference();
  const cashier = await ApiUser.named('cashier@demo.example');
  await cashier.pay(await cashier.create(reference));
  const till = await openTill('viewer@demo.example');
  await (await till.find(reference)).getByRole('link', { name: reference }).click();
  const paid = till.page.getByTestId('change').first();
  await paid.getByText('Who was notified').click();
  await expect(paid.getByTestId('told').first()).toContainText('Viewer');
  await expect(paid.getByTestId('told').filter({ hasNotText: 'Viewer' })).toHaveCount(0);
  await expect(till.page.getByRole('link', { name: 'Today', includeHidden: true })).toHaveCount(0);
});

test('the day’s sales are live, next to those of yesterday', async ({ openTill }) => {
  // Another test counts the notifications of the other business.
  const owner = await ApiUser.named('owner@demo.example');
  await writeOrders({ tenant: 'demo', count: 3, daysAgo: 1, prefix: newReference() });
  await query(`INSERT INTO order_changes (tenant_id, order_id, version, status, event_id, total_amount, currency, changed_at)
    SELECT 'demo', gen_random_uuid(), 2, 'paid', gen_random_uuid(), 777, 'CHF', now() - interval '1 day'`);
  const before = await owner.create(newReference(), 400, 'CHF');
  await owner.pay(before);
  const till = await openTill('owner@demo.example');
  await till.page.getByRole('button', { name: /^Account/ }).click();
  await till.page.getByRole('link', { name: 'Today' }).click();
  const takings = till.page.getByTestId('takings-CHF');
  await expect(takings).toHaveText(/CHF.4\.00/);
  await expect(till.page.getByLabel('Takings')).toContainText(/CHF.7\.77/);
  const completed = till.page.getByTestId('stage-completed');
  const was = Number.parseInt((await completed.textContent()) ?? '', 10);
  const order = await owner.create(newReference(), 150, 'CHF');
  await owner.changeStatus(await owner.pay(order), 'completed');
  await expect(takings).toHaveText(/CHF.5\.50/);
  await expect.poll(async () => Number.parseInt((await completed.textContent()) ?? '', 10)).toBe(was + 1);
});

test('the owner’s settings apply to every till, and no other user can change them', async ({ openTill }) => {
  const till = await openTill('owner@kopi.example');
  const colleague = await openTill('manager@kopi.example');
  await expect(
    colleague.page.getByRole('link', { name: 'Business settings', includeHidden: true }),
  ).toHaveCount(0);
  await till.page.getByRole('button', { name: /^Account/ }).click();
  await till.page.getByRole('link', { name: 'Business settings' }).click();
  await expect(till.page.getByLabel('Currency')).toHaveValue('IDR');
  await till.page.getByLabel('Time zone').selectOption('Asia/Makassar');
  await till.page.getByRole('button', { name: 'Save' }).click();
  await expect(till.page.getByText('Saved.')).toBeVisible();
  await till.page.reload();
  await expect(till.page.getByLabel('Time zone')).toHaveValue('Asia/Makassar');
  await till.page.getByLabel('Time zone').selectOption('Asia/Jakarta');
  await till.page.getByRole('button', { name: 'Save' }).click();
  await expect(till.page.getByText('Saved.')).toBeVisible();
});
