import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Locator, Page } from '@playwright/test';
import type { AxeResults } from 'axe-core';
import { writeOrders } from './past';
import { runningStack } from './stack';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core reports for the page by WCAG 2.2 AA, one line per finding. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const results = await page.evaluate<AxeResults>(
    "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
  );
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map((n) => `${id}: ${n.html} ${n.failureSummary ?? ''}`),
  );
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing, ${colorScheme}`, async ({ openTill, browser }) => {
    const owner = await ApiUser.named('owner@demo.example');
    for (const status of ['preparing', 'ready', 'completed', 'refunded']) {
      await owner.changeStatus(await owner.pay(await owner.create(newReference())), status);
    }
    await owner.changeStatus(await owner.create(newReference()), 'cancelled');

    const page = await browser.newPage({ colorScheme, reducedMotion: 'reduce' });
    await page.goto(runningStack().origin);
    await expect(page.getByRole('button', { name: 'owner@demo.example' })).toBeVisible();
    expect(await findings(page)).toEqual([]);
    await page.close();

    const till = await openTill('owner@demo.example', { colorScheme, reducedMotion: 'reduce' });
    const paid = await owner.pay(await owner.create(newReference()));
    await expect(till.order(paid.reference)).toHaveAttribute('data-status', 'paid');
    await till.showAll();
    await till.press('Refund', paid.reference);
    await expect(till.page.getByRole('alertdialog')).toBeVisible();
    expect(await findings(till.page)).toEqual([]);
    await till.page.keyboard.press('Escape');
    for (const view of ['compact', 'table', 'cards']) {
      await till.page.getByLabel('View').selectOption(view);
      expect(await findings(till.page), view).toEqual([]);
    }
    const leaving = await owner.pay(await owner.create(newReference()));
    await till.page.locator('label', { hasText: /^Active/ }).click();
    await till.press('Complete', leaving.reference);
    await expect(till.page.getByTestId('gap').getByRole('button', { name: 'Undo' })).toBeVisible();
    expect(await findings(till.page), 'a gap').toEqual([]);
    await till.order(paid.reference).focus();
    await till.page.keyboard.press('?');
    await expect(till.page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
    expect(await findings(till.page), 'the list of keys').toEqual([]);
    await till.page.keyboard.press('Escape');
    for (const address of ['/today', '/business', '/staff', '/devices', `/orders/${paid.order_id}`]) {
      await till.page.evaluate((to) => {
        location.hash = `#${to}`;
      }, address);
      await expect(till.page.getByRole('heading', { level: 2 }).first()).toBeVisible();
      await expect(till.page.getByText('Loading…')).toHaveCount(0);
      expect(await findings(till.page), address).toEqual([]);
    }
    await till.page.context().setOffline(true);
    await expect(till.page.getByTestId('stale')).toBeVisible();
    expect(await findings(till.page), 'not live').toEqual([]);
    await till.page.context().setOffline(false);
    await expect(till.connection).toHaveText('Live');
    await till.page.evaluate("location.hash = '#/preferences'");
    await till.page.getByRole('checkbox', { name: 'Keep e-mail back' }).check();
    expect(await findings(till.page)).toEqual([]);
    await till.page.getByRole('link', { name: 'Back to the orders' }).click();
    for (const name of [/^Notifications/, /^Account of/]) {
      await till.page.getByRole('button', { name }).click();
      expect(await findings(till.page)).toEqual([]);
      await till.page.keyboard.press('Escape');
    }
  });
}

test('in forced colours, every state that a colour shows has another mark', async ({ openTill }) => {
  const prefix = newReference();
  await writeOrders({ tenant: 'demo', count: 1, daysAgo: 1, prefix, status: 'paid' });
  const owner = await ApiUser.named('owner@demo.example');
  const told = await owner.pay(await owner.create(newReference()));
  const till = await openTill('manager@demo.example', { forcedColors: 'active' });
  const borderOf = (part: Locator, of: 'border-inline-start' | 'outline', pseudo = '') =>
    part.evaluate(
      (element, [name = '', at = '']) => {
        const style = getComputedStyle(element, at === '' ? null : at);
        return `${style.getPropertyValue(`${name}-width`)} ${style.getPropertyValue(`${name}-style`)}`;
      },
      [of, pseudo],
    );
  await till.page.getByRole('searchbox').fill(`${prefix}1`);
  for (const view of ['cards', 'compact', 'table']) {
    await till.page.getByLabel('View').selectOption(view);
    const late = till.page.locator('article[data-lateness="late"], tr[data-lateness="late"] > th');
    await expect(late).toHaveCount(1);
    expect(await borderOf(late, 'border-inline-start'), `late, as ${view}`).toBe('6px solid');
  }
  expect(await borderOf(till.page.locator('.filter:has(:checked)'), 'outline')).toBe('3px solid');
  expect(await borderOf(till.connection, 'border-inline-start', '::before')).toBe('5px solid');
  await till.page.getByRole('button', { name: /^Notifications/ }).click();
  const unread = till.page.getByTestId('notification').filter({ hasText: told.reference });
  expect(await borderOf(unread, 'border-inline-start', '::before'), 'unread').toBe('4px solid');
});

test('an order is created, paid and cancelled without a mouse', async ({ openTill }) => {
  const [sold, dropped] = [newReference(), newReference()];
  const till = await openTill('cashier@demo.example');
  const { keyboard } = till.page;
  await till.page.getByLabel('Amount').focus();
  for (const reference of [dropped, sold]) {
    await keyboard.type('7.25');
    await keyboard.press('Tab'); // currency
    await keyboard.press('Tab');
    await keyboard.type(reference);
    await keyboard.press('Enter');
    await expect(till.order(reference)).toBeVisible();
    await expect(till.page.getByLabel('Amount')).toBeFocused();
  }

  await till.order(sold).getByRole('button', { name: 'Take payment' }).focus();
  await keyboard.press('Enter');
  await expect(till.order(sold)).toHaveAttribute('data-status', 'paid');
  await expect(till.order(sold)).toBeFocused();
  await keyboard.press('Tab');
  await expect(till.order(sold).getByRole('link', { name: sold })).toBeFocused();
  await keyboard.press('Tab');
  await expect(till.order(sold).getByRole('button', { name: 'Start preparing' })).toBeFocused();

  await till.order(dropped).getByRole('button', { name: 'Cancel order' }).focus();
  await keyboard.press('Enter');
  const dialog = till.page.getByRole('alertdialog');
  await expect(dialog.getByRole('button', { name: 'Keep it' })).toBeFocused();
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await expect(dialog).toHaveCount(0);
  await expect(till.order(dropped)).toHaveCount(0);
});
