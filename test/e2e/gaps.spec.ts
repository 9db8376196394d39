/** Nothing moves under a pointer: when a tap removes an order from the list, a gap of the same height with Undo remains. */
import type { Page } from '@playwright/test';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

const screens = [
  { name: 'a desktop', viewport: { width: 1366, height: 900 } },
  { name: 'a tablet', viewport: { width: 800, height: 1100 }, hasTouch: true },
  { name: 'a phone', viewport: { width: 320, height: 700 }, hasTouch: true },
] as const;

/** The positions of all touch targets in the list, except those of the order with this reference. */
function places(page: Page, reference: string): Promise<Record<string, number[]>> {
  return page.evaluate((without) => {
    const found: Record<string, number[]> = {};
    for (const order of document.querySelectorAll<HTMLElement>('#orders [data-order-id]')) {
      if (order.textContent?.includes(without) === true) continue;
      for (const [i, element] of [order, ...order.querySelectorAll('button, a')].entries()) {
        const { x, y, width, height } = element.getBoundingClientRect();
        // Positions on the page, not in the window, because a click may scroll.
        found[`${order.dataset['orderId'] ?? ''} ${String(i)}`] = [x, y + window.scrollY, width, height];
      }
    }
    return found;
  }, reference);
}

/** The targets that have moved by more than one pixel, which rounding may cause. */
function moved(before: Record<string, number[]>, after: Record<string, number[]>): string[] {
  return Object.entries(before)
    .filter(([id, box]) => box.some((value, i) => Math.abs(value - (after[id]?.[i] ?? -1000)) > 1))
    .map(([id, box]) => `${id}: ${String(box)} is ${String(after[id])}`);
}

for (const { name, ...options } of screens) {
  for (const view of ['cards', 'compact', 'table']) {
    test(`on ${name}, as ${view}, an order changes and leaves without moving another`, async ({
      openTill,
    }) => {
      const prefix = newReference();
      const [leaving, changing] = [`${prefix}-A`, `${prefix}-B`];
      const owner = await ApiUser.named('owner@demo.example');
      await owner.pay(await owner.create(`${prefix}-C`));
      await owner.create(changing);
      await owner.pay(await owner.create(leaving));
      const till = await openTill('owner@demo.example', options);
      await till.page.getByLabel('View').selectOption(view);
      await till.page.getByRole('searchbox').fill(prefix);
      // Orders of other tests change at the same time, so the list may show only those of this test.
      await expect(till.page.locator('[data-order-id]').filter({ hasNotText: prefix })).toHaveCount(0);
      const row = (reference: string) => till.page.locator('[data-order-id]').filter({ hasText: reference });
      await expect(row(leaving)).toBeVisible();
      await expect(till.page.locator('[data-settling="false"]')).toBeVisible();

      const others = await places(till.page, changing);
      for (const [button, status] of [
        ['Take payment', 'paid'],
        ['Start preparing', 'preparing'],
        ['Mark ready', 'ready'],
      ] as const) {
        await till.press(button, changing);
        await expect(row(changing)).toHaveAttribute('data-status', status);
        expect(moved(others, await places(till.page, changing)), `after ${button}`).toEqual([]);
      }

      const before = await places(till.page, leaving);
      expect(Object.keys(before).length, 'what is compared').toBeGreaterThan(5);
      const height = (await row(leaving).boundingBox())?.height ?? 0;
      await till.press('Complete', leaving);
      const gap = till.page.getByTestId('gap').filter({ hasText: leaving });
      await expect(gap.getByRole('button', { name: 'Undo' })).toBeVisible();
      expect(moved(before, await places(till.page, leaving)), 'with the gap').toEqual([]);
      expect(
        Math.abs(((await gap.boundingBox())?.height ?? 0) - height),
        'height of the gap',
      ).toBeLessThanOrEqual(1);

      await gap.getByRole('button', { name: 'Undo' }).click();
      await expect(gap).toHaveCount(0);
      await expect(row(leaving)).toHaveAttribute('data-status', 'paid');
      expect(moved(before, await places(till.page, leaving)), 'after Undo').toEqual([]);
    });
  }
}
