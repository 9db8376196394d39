/** Undo of one's own last step where the order still is: in the compact list, in the table and on the order's page. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './stack';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

const report = join(repository, '.report', 'e2e');

const screens = [
  { name: 'desktop', viewport: { width: 1366, height: 900 } },
  { name: 'phone', viewport: { width: 320, height: 700 }, hasTouch: true },
] as const;

for (const { name, ...options } of screens) {
  test(`on a ${name}, a step is taken back where it was made`, async ({ openTill }) => {
    mkdirSync(report, { recursive: true });
    const reference = newReference();
    const owner = await ApiUser.named('owner@demo.example');
    const { order_id } = await owner.pay(await owner.create(reference));
    const till = await openTill('cashier@demo.example', options);
    const undo = till.page.getByRole('button', { name: `Undo ${reference}` });
    const order = till.page.locator('article, tr').filter({ hasText: reference });
    await till.page.getByRole('searchbox').fill(reference);
    for (const view of ['compact', 'table', 'cards']) {
      await till.page.getByLabel('View').selectOption(view);
      await expect(order).toHaveAttribute('data-status', 'paid');
      const height = (await order.boundingBox())?.height;
      await till.press('Start preparing', reference);
      await expect(order).toHaveAttribute('data-status', 'preparing');
      await expect(undo).toBeVisible();
      expect((await order.boundingBox())?.height, `${view}: Undo takes no more room`).toBe(height);
      await till.page.screenshot({ path: join(report, `undo-${name}-${view}.png`) });
      await undo.click();
      await expect(order).toHaveAttribute('data-status', 'paid');
      await expect(undo).toHaveCount(0);
    }

    await order.getByRole('link', { name: reference }).click();
    await expect(till.page.getByRole('heading', { name: reference })).toBeVisible();
    await till.press('Complete', reference);
    await expect(undo).toBeVisible();
    await till.page.screenshot({ path: join(report, `undo-${name}-page.png`) });
    await undo.click();
    await expect(order).toHaveAttribute('data-status', 'paid');
    const latest = till.page.getByTestId('change').first();
    await expect(latest, 'a change of its own').toContainText('Completed was taken back');
    expect((await owner.order(order_id)).status, 'for all').toBe('paid');
  });
}
