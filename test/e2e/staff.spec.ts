/** Owners and managers add, change and remove the users of their business. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import type { AxeResults } from 'axe-core';
import { repository } from './stack';
import { expect, test } from './till';
import { newReference } from './users';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const report = join(repository, '.report');

const screens = [
  { name: 'desktop', viewport: { width: 1366, height: 800 } },
  { name: 'tablet', viewport: { width: 800, height: 1100 } },
  { name: 'phone', viewport: { width: 320, height: 780 } },
] as const;

async function findings(page: Page): Promise<string[]> {
  await page.evaluate('scrollTo(0, 0)'); // a control that the top bar covers would count as too small
  await page.evaluate(axe);
  const results = await page.evaluate<AxeResults>(
    "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
  );
  return results.violations.flatMap(({ id, nodes }) => nodes.map((n) => `${id}: ${n.html}`));
}

async function openStaff(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('link', { name: 'Staff' }).click();
  await expect(page.getByRole('heading', { name: 'Staff' })).toBeVisible();
}

for (const { name, ...options } of screens) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`a user is added, invited again, changed and removed, ${name}, ${colorScheme}`, async ({
      openTill,
    }) => {
      const { page } = await openTill('manager@demo.example', { ...options, colorScheme });
      const email = `${newReference().toLowerCase()}@demo.example`;
      await openStaff(page);
      await page.getByLabel('E-mail address').fill(email);
      await page.getByLabel('Name (optional)').fill(`Ayu ${email}`);
      await page.getByRole('button', { name: 'Add and invite' }).click();
      const row = page.getByRole('listitem').filter({ hasText: email });
      await expect(row).toContainText('Invited, address not confirmed yet');
      await expect(row).toContainText('cashier');
      expect(await findings(page)).toEqual([]);
      const { width, content } = await page.evaluate(() => ({
        width: document.documentElement.clientWidth,
        content: document.documentElement.scrollWidth,
      }));
      expect(content, 'nothing is wider than the screen').toBeLessThanOrEqual(width);
      await page.screenshot({ path: join(report, `e2e-staff-${name}-${colorScheme}.png`) });

      await page.getByLabel('E-mail address').fill(email);
      await page.getByRole('button', { name: 'Add and invite' }).click();
      await expect(page.getByRole('alert')).toHaveText('Another user has this address.');

      await row.getByRole('button', { name: 'Send invitation again' }).click();
      await expect(row.getByRole('alert')).toContainText('An invitation was sent within the last day.');
      await row.getByRole('button', { name: 'Change roles' }).click();
      await expect(row.getByRole('checkbox', { name: 'owner' }), 'a manager makes no owner').toHaveCount(0);
      await row.getByRole('checkbox', { name: 'kitchen' }).check();
      await row.getByRole('checkbox', { name: 'cashier' }).uncheck();
      await row.getByRole('button', { name: 'Save roles' }).click();
      await expect(row.getByRole('status')).toContainText('The roles are changed.');
      await expect(row).toContainText('kitchen ·');

      await row.getByRole('button', { name: 'Remove' }).click();
      expect(await findings(page)).toEqual([]);
      await row.getByRole('button', { name: 'Keep as it is' }).click();
      await row.getByRole('button', { name: 'Remove' }).click();
      await row.getByRole('button', { name: /^Yes, remove/ }).click();
      await expect(row).toHaveCount(0);
    });
  }
}

test('refusals give the reason: the last owner, oneself, and a manager who changes an owner', async ({
  openTill,
}) => {
  const { page } = await openTill('owner@kopi.example');
  await openStaff(page);
  const own = page.getByRole('listitem').filter({ hasText: 'owner@kopi.example' });
  await own.getByRole('button', { name: 'Remove' }).click();
  await expect(own.getByRole('alert')).toHaveText(
    'You cannot remove yourself. Another owner or manager can.',
  );
  await own.getByRole('button', { name: 'Change roles' }).click();
  await own.getByRole('checkbox', { name: 'owner' }).uncheck();
  await own.getByRole('checkbox', { name: 'viewer' }).check();
  await own.getByRole('button', { name: 'Save roles' }).click();
  await expect(own.getByRole('alert')).toContainText('this is the last one');
  await expect(own).toContainText('owner ·');

  const manager = await openTill('manager@kopi.example');
  await openStaff(manager.page);
  const boss = manager.page.getByRole('listitem').filter({ hasText: 'owner@kopi.example' });
  await expect(boss).toBeVisible();
  await expect(boss.getByRole('button')).toHaveCount(0);

  const cashier = await openTill('cashier@kopi.example');
  await cashier.page.getByRole('button', { name: /^Account of/ }).click();
  await expect(cashier.page.getByRole('link', { name: 'Preferences' })).toBeVisible();
  await expect(cashier.page.getByRole('link', { name: 'Staff' })).toHaveCount(0);
});

test('a change of roles by another user is not overwritten', async ({ openTill }) => {
  const email = `${newReference().toLowerCase()}@demo.example`;
  const one = await openTill('owner@demo.example');
  await openStaff(one.page);
  await one.page.getByLabel('E-mail address').fill(email);
  await one.page.getByRole('button', { name: 'Add and invite' }).click();
  const first = one.page.getByRole('listitem').filter({ hasText: email });
  await expect(first).toBeVisible();
  const two = await openTill('manager@demo.example');
  await openStaff(two.page);
  const second = two.page.getByRole('listitem').filter({ hasText: email });
  await second.getByRole('button', { name: 'Change roles' }).click();
  await first.getByRole('button', { name: 'Change roles' }).click();
  await first.getByRole('checkbox', { name: 'viewer' }).check();
  await first.getByRole('button', { name: 'Save roles' }).click();
  await expect(first.getByRole('status')).toContainText('The roles are changed.');
  await second.getByRole('checkbox', { name: 'kitchen' }).check();
  await second.getByRole('button', { name: 'Save roles' }).click();
  await expect(second.getByRole('alert')).toContainText('This user was changed meanwhile.');
  await expect(second).toContainText('cashier, viewer');
});
