/** The list's views for cashiers, kitchens and owners: today and open orders, older orders by date, one order by search. */
import { writeOrders } from './past';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

test('older orders are shown by date, page by page, and not at the start', async ({ openTill }) => {
  const prefix = `${newReference()}-`;
  await writeOrders({ tenant: 'kopi', count: 150, daysAgo: 40, prefix });
  const open = `${newReference()}`;
  await writeOrders({ tenant: 'kopi', count: 1, daysAgo: 41, prefix: open, status: 'ready' });
  const till = await openTill('viewer@kopi.example');
  await till.page.getByLabel('Sort by').selectOption('oldest');
  await expect(till.order(`${open}1`), 'an open order of any age').toBeVisible();
  await till.showAll();
  await expect(till.order(`${prefix}1`)).toHaveCount(0);

  await till.page.getByLabel('Sort by').selectOption('newest');
  await till.page.getByLabel('Days', { exact: true }).selectOption('days');
  const [before, day] = [43, 38].map((ago) =>
    new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10),
  ) as [string, string];
  await till.page.getByLabel('First day').fill(before);
  await till.page.getByLabel('Last day').fill(day);
  await expect(till.page.getByText('100 orders loaded')).toBeVisible();
  await expect(till.order(`${prefix}1`)).toBeVisible();
  await till.page.getByRole('button', { name: 'Load older orders' }).click();
  await expect(till.page.getByText('151 orders', { exact: true })).toBeVisible();

  // The address contains the whole view.
  await till.page.reload();
  await expect(till.page.getByText('100 orders loaded')).toBeVisible();
  await expect(till.page.getByRole('radio', { name: 'All 151' })).toBeChecked();
});

test('a search says how many results other filters or years have', async ({ openTill }) => {
  const [today, old] = [newReference(), newReference()];
  const owner = await ApiUser.named('owner@demo.example');
  await owner.changeStatus(await owner.create(today, 4242), 'cancelled');
  await writeOrders({ tenant: 'demo', count: 1, daysAgo: 500, prefix: old });
  const till = await openTill('viewer@demo.example');
  const search = till.page.getByRole('searchbox');
  for (const reference of [today, `${old}1`]) {
    await search.fill(reference.toLowerCase());
    await expect(till.order(reference)).toHaveCount(0);
    await till.page.getByRole('button', { name: 'Show 1 match among all orders' }).click();
    await expect(till.order(reference)).toBeVisible();
    await till.page.getByLabel('Days', { exact: true }).selectOption('current');
    await till.page.locator('label', { hasText: /^Active/ }).click();
  }
  await till.showAll();
  await search.fill('42.42');
  await expect(till.order(today), 'by amount').toBeVisible();
  await search.fill('cancelled');
  await expect(till.order(today), 'by state').toBeVisible();
});

test('a kitchen sees the oldest first, with a mark on what is late', async ({ openTill }) => {
  const reference = newReference();
  await writeOrders({ tenant: 'demo', count: 1, daysAgo: 1, prefix: reference, status: 'paid' });
  const fresh = newReference();
  const owner = await ApiUser.named('owner@demo.example');
  await owner.pay(await owner.create(fresh));
  const till = await openTill('kitchen@demo.example');
  await till.page.goto(`${till.page.url().split('#')[0] ?? ''}#/`); // without the order's reference, which tests use to find their own
  await expect(till.page.getByLabel('Sort by')).toHaveValue('oldest');
  const old = till.order(`${reference}1`);
  await expect(old).toHaveAttribute('data-lateness', 'late');
  await till.page.getByRole('searchbox').fill(fresh);
  await expect(till.order(fresh)).toHaveAttribute('data-lateness', 'fresh');
});

for (const width of [320, 360]) {
  test(`everything fits a phone of ${String(width)} px`, async ({ openTill }) => {
    const owner = await ApiUser.named('owner@demo.example');
    const order = await owner.create('A reference as long as a receipt line, of sixty-four characters.');
    const till = await openTill('manager@demo.example', { viewport: { width, height: 700 }, hasTouch: true });
    await till.page.getByRole('searchbox').fill(order.reference);
    for (const view of ['cards', 'compact', 'table']) {
      await till.page.getByLabel('View').selectOption(view);
      await till.page.getByLabel('Days', { exact: true }).selectOption(view === 'table' ? 'days' : 'current');
      await expect(till.page.locator(`[data-order-id="${order.order_id}"]`)).toBeVisible();
      const { content, cut, short } = await till.page.evaluate(() => ({
        content: document.documentElement.scrollWidth,
        cut: [...document.querySelectorAll('select, input, button')]
          .filter((element) => element.checkVisibility({ visibilityProperty: true }))
          .filter((element) => !element.closest('[popover]') && !element.matches('.hidden, .skip'))
          .filter((element) => {
            const { left, right } = element.getBoundingClientRect();
            return left < 0 || right > document.documentElement.clientWidth;
          })
          .map((element) => element.outerHTML.slice(0, 80)),
        short: [...document.querySelectorAll('select')]
          .filter((select) => select.checkVisibility() && !select.closest('[popover]'))
          .filter((select) => {
            const { font, paddingInlineStart, paddingInlineEnd } = getComputedStyle(select);
            const context = document.createElement('canvas').getContext('2d');
            if (context === null) throw new Error('no canvas');
            context.font = font;
            const text = context.measureText(select.selectedOptions[0]?.text ?? '').width;
            const arrow = 16;
            const padding = Number.parseFloat(paddingInlineStart) + Number.parseFloat(paddingInlineEnd);
            return text + arrow + padding > select.clientWidth;
          })
          .map((select) => select.selectedOptions[0]?.text),
      }));
      expect(content, `${view}: nothing is wider than the screen`).toBeLessThanOrEqual(width);
      expect(cut, `${view}: controls outside the screen`).toEqual([]);
      expect(short, `${view}: choices with clipped text`).toEqual([]);
    }
  });
}

test('a click on a column head sorts the table', async ({ openTill }) => {
  const [small, large] = [newReference(), newReference()];
  const owner = await ApiUser.named('owner@kopi.example');
  await owner.create(large, 99_000_000, 'IDR');
  await owner.create(small, 1000, 'IDR');
  const till = await openTill('viewer@kopi.example', { viewport: { width: 1280, height: 900 } });
  await till.page.getByLabel('View').selectOption('table');
  const rows = till.page.getByTestId('order');
  await expect(rows.first()).toContainText(small);
  await till.page.getByRole('button', { name: 'Amount' }).click();
  await expect(rows.first()).toContainText(large);
  await expect(till.page.getByRole('columnheader', { name: 'Amount' })).toHaveAttribute(
    'aria-sort',
    'descending',
  );
});
