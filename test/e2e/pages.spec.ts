/** Every page on the narrowest phone: nothing is wider than the screen, and every control is large enough for a finger. */
import type { Page } from '@playwright/test';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

const width = 320;

/** The controls smaller than a finger, 44 px. Links within a text are left out, as WCAG 2.5.5 does. */
function smallControls(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button, a[href], input, select, summary, textarea')]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }))
      .filter((element) => !element.matches('.skip'))
      .filter((element) => getComputedStyle(element).display !== 'inline')
      .map((element) => element.closest('label') ?? element) // the label is a touch target, too
      .filter((element) => {
        const { width: across, height: down } = element.getBoundingClientRect();
        return across > 1 && (Math.ceil(down) < 44 || Math.ceil(across) < 44);
      })
      .map((element) => {
        const { width: across, height: down } = element.getBoundingClientRect();
        return `${String(Math.round(across))} × ${String(Math.round(down))}: ${element.outerHTML.slice(0, 120)}`;
      }),
  );
}

test('every page fits a phone and a finger', async ({ openTill }) => {
  const owner = await ApiUser.named('owner@demo.example');
  const order = await owner.pay(await owner.create(newReference()));
  const till = await openTill('owner@demo.example', { viewport: { width, height: 700 }, hasTouch: true });
  const heading = till.page.getByRole('heading', { level: 2 });
  const addresses = [
    '/',
    '/?view=compact',
    '/?view=table',
    '/preferences',
    '/today',
    '/business',
    '/staff',
    '/devices',
    `/orders/${order.order_id}`,
  ];
  for (const address of addresses) {
    await till.page.evaluate((to) => {
      location.hash = `#${to}`;
    }, address);
    await expect(heading.first()).toBeVisible();
    await expect(till.page.getByText('Loading…')).toHaveCount(0);
    const content = await till.page.evaluate(() => document.documentElement.scrollWidth);
    expect.soft(content, `${address}: nothing is wider than the screen`).toBeLessThanOrEqual(width);
    expect.soft(await smallControls(till.page), `${address}: controls smaller than a finger`).toEqual([]);
  }
  for (const name of [/^Notifications/, /^Account of/]) {
    await till.page.getByRole('button', { name }).click();
    expect
      .soft(await smallControls(till.page), `${String(name)}: controls smaller than a finger`)
      .toEqual([]);
    await till.page.keyboard.press('Escape');
  }
});
