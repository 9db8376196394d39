/** A till is paired with a code that a manager approves on a phone, works under its own name, and is revoked. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Locator, Page } from '@playwright/test';
import type { AxeResults } from 'axe-core';
import pg from 'pg';
import { repository, runningStack } from './stack';
import { expect, Till, test } from './till';
import { ApiUser, newReference } from './users';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const report = join(repository, '.report');
const phone = { viewport: { width: 360, height: 780 } };

const screens = [
  { name: 'desktop', viewport: { width: 1366, height: 800 }, colorScheme: 'light' },
  { name: 'desktop', viewport: { width: 1366, height: 800 }, colorScheme: 'dark' },
  { name: 'phone', viewport: { width: 320, height: 780 }, colorScheme: 'light' },
  { name: 'phone', viewport: { width: 320, height: 780 }, colorScheme: 'dark' },
] as const;

/** axe finds nothing, nothing is wider than the screen, and no control is too small for a finger. */
async function check(page: Page, picture = ''): Promise<void> {
  if (picture !== '')
    await page.screenshot({ path: join(report, `e2e-pairing-${picture}.png`), fullPage: true });
  await page.evaluate(axe);
  const results = await page.evaluate<AxeResults>(
    "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
  );
  expect(results.violations.flatMap(({ id, nodes }) => nodes.map((n) => `${id}: ${n.html}`))).toEqual([]);
  const { width, content, small } = await page.evaluate(() => ({
    width: document.documentElement.clientWidth,
    content: document.documentElement.scrollWidth,
    small: [
      ...document.querySelectorAll<HTMLElement>(
        'main button, main .input, main .choice, [role=alertdialog] button',
      ),
    ]
      .filter((control) => control.getBoundingClientRect().height < 44)
      .map((control) => control.outerHTML),
  }));
  expect(content, 'nothing is wider than the screen').toBeLessThanOrEqual(width);
  expect(small, 'controls of less than 44 px').toEqual([]);
}

/** The page of a till without a user. It is closed at the end of the test. */
async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
  language = 'en',
): Promise<Page> {
  const context = await browser.newContext(options);
  await context.addInitScript((kept) => localStorage.setItem('orderbell.language', kept), language);
  const page = await context.newPage();
  await page.goto(`${runningStack().origin}/#/?sort=newest`);
  return page;
}

/** Taps "Pair this till"; returns the code that the till shows. */
async function showCode(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'Pair this till' }).click();
  await expect(codeOf(page)).toHaveText(/^[B-Z]{4}-[B-Z]{4}$/);
  return (await codeOf(page).textContent()) ?? '';
}

function codeOf(page: Page): Locator {
  return page.getByTestId('pairing-code');
}

async function openDevices(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('link', { name: 'Devices' }).click();
  await expect(page.getByRole('heading', { name: 'Paired devices' })).toBeVisible();
}

/** Types a code and a name, and waits for the confirmation dialog. */
async function typeCode(page: Page, code: string, name: string): Promise<Locator> {
  await page.getByLabel('Code on the till').fill(code);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Name').press('Enter');
  return page.getByRole('alertdialog');
}

async function pair(page: Page, code: string, name: string): Promise<void> {
  const question = await typeCode(page, code, name);
  await question.getByRole('button', { name: `Pair ${name}` }).click();
}

function rowOf(page: Page, name: string): Locator {
  return page.getByRole('listitem').filter({ hasText: name });
}

function newName(): string {
  return `Bar ${newReference()}`;
}

for (const { name: screen, ...options } of screens) {
  const { colorScheme } = options;
  test(`a till is paired, works live, and is revoked, ${screen}, ${colorScheme}`, async ({
    browser,
    openTill,
  }) => {
    test.slow(); // it uses two browsers, and runs axe in each state
    const name = newName();
    const page = await openPage(browser, options);
    await expect(page.getByRole('button', { name: 'Pair this till' })).toBeVisible();
    await check(page, `sign-in-${screen}-${colorScheme}`);
    const code = await showCode(page);
    await expect(page.getByRole('heading', { name: 'Pair this till' })).toBeFocused();
    await expect(page.getByRole('timer')).toHaveText(/^Valid for another (10:00|9:\d\d)$/);
    await check(page, `code-${screen}-${colorScheme}`);
    await page.reload();
    await expect(codeOf(page), 'a reload keeps the code').toHaveText(code);

    const manager = (await openTill('manager@demo.example', { ...phone, colorScheme })).page;
    await openDevices(manager);
    await check(manager);
    await manager.getByRole('radio', { name: 'cashier' }).check();
    const typed = ` ${code.toLowerCase().replace('-', ' ')} `;
    const question = await typeCode(manager, typed, name);
    await expect(question).toHaveAccessibleName(`Pair the till with this code as ${name}?`);
    await expect(question.getByText(code, { exact: true })).toBeVisible();
    await expect(question).toContainText('Only if you see this code on your own till');
    await expect(question.getByRole('button', { name: 'Do not pair' })).toBeFocused();
    if (screen === 'phone') await check(manager, `approval-${colorScheme}`);
    await question.getByRole('button', { name: 'Do not pair' }).click();
    await expect(manager.getByRole('button', { name: 'Check the code' }), 'focus is kept').toBeInViewport();
    await expect(rowOf(manager, name), 'nothing is paired yet').toHaveCount(0);
    await pair(manager, typed, name);
    await expect(manager.getByRole('status').filter({ hasText: `${name} is paired` })).toBeVisible();

    const till = new Till(page);
    await expect(till.connection).toHaveAttribute('data-state', 'live');
    await expect(page.getByRole('button', { name: `Account of ${name}` })).toBeVisible();
    const { reference } = await (await ApiUser.named('owner@demo.example')).create(newReference());
    await expect(till.order(reference), 'another user’s order comes live').toBeVisible();
    if (screen === 'desktop') {
      const own = newReference(); // a phone opens its form first
      await till.create('4.20', own);
      await expect(till.order(own)).toBeVisible();
    }
    const tab = await page.context().newPage();
    await page.close();
    await tab.goto(`${runningStack().origin}/#/preferences`);
    await expect(tab.getByRole('group', { name: 'This device' }), 'the till stays signed in').toBeVisible();
    await expect(tab.getByRole('group', { name: 'E-mail' }), 'a till has no mails').toHaveCount(0);
    await expect(tab.getByRole('alert')).toHaveCount(0);

    const row = rowOf(manager, name);
    await expect(row).toContainText('cashier · Connected since');
    await expect(row).toContainText(/Paired .* by /);
    await check(manager, `devices-${screen}-${colorScheme}`);
    await row.getByRole('button', { name: `Revoke ${name}` }).click();
    const last = manager.getByRole('alertdialog', { name: `Revoke ${name}?` });
    await last.getByRole('button', { name: 'Keep as it is' }).click();
    await expect(row.getByRole('button', { name: `Revoke ${name}` }), 'focus is kept').toBeFocused();
    await manager.keyboard.press('Enter');
    if (screen === 'phone') await check(manager, `revoke-${colorScheme}`);
    await last.getByRole('button', { name: `Revoke ${name}` }).click();
    await expect(row).toHaveCount(0);
    await expect(
      manager.getByRole('heading', { name: 'Paired devices' }),
      'the row’s button is gone',
    ).toBeFocused();
    await expect(manager.getByRole('status').filter({ hasText: `${name} is revoked` })).toBeVisible();

    await expect(tab.getByRole('alert')).toContainText('This till is no longer paired');
    await check(tab, `revoked-${screen}-${colorScheme}`);
    expect(await tab.evaluate(() => localStorage.getItem('orderbell.session'))).toBeNull();
    await tab.reload();
    await expect(tab.getByRole('button', { name: 'Pair this till' })).toBeVisible();
    await tab.context().close();
  });
}

test('an expired code is refused with the reason, and one tap replaces it', async ({ browser, openTill }) => {
  const page = await openPage(browser);
  await page.clock.install();
  await page.reload();
  const code = await showCode(page);
  await page.clock.fastForward('09:00');
  await expect(page.getByRole('timer')).toHaveText(/^Valid for another (1:00|0:\d\d)$/);
  await page.clock.fastForward('01:00');
  await expect(page.getByRole('alert')).toHaveText('The code has expired without an approval.');
  await expect(codeOf(page)).toHaveCount(0);
  await check(page, 'expired');
  await page.getByRole('button', { name: 'Get a new code' }).click();
  await expect(codeOf(page)).toHaveText(/^[B-Z]{4}-[B-Z]{4}$/);
  const next = (await codeOf(page).textContent()) ?? '';
  expect(next).not.toBe(code);

  const client = new pg.Client({ connectionString: runningStack().database_url });
  await client.connect();
  await client.query('UPDATE device_pairings SET expires_at = now() WHERE user_code = $1', [next]);
  await client.end();
  const manager = (await openTill('manager@kopi.example', phone)).page;
  await openDevices(manager);
  await pair(manager, next, newName());
  await expect(manager.getByRole('alert')).toContainText('No till shows this code.');
  await page.clock.runFor('00:03');
  await expect(page.getByRole('alert')).toContainText('The code is no longer valid.');
  await page.getByRole('button', { name: 'Sign in another way' }).click();
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
  await page.reload();
  await expect(page.getByRole('button', { name: 'Pair this till' })).toBeVisible();
  await page.context().close();
});

test('a wrong code and a name in use are refused with the reason, and the input stays', async ({
  browser,
  openTill,
}) => {
  const manager = (await openTill('manager@kopi.example', phone)).page;
  await openDevices(manager);
  const name = newName();
  await expect(await typeCode(manager, 'WDJB-MJH', name)).toHaveCount(0);
  await expect(manager.getByRole('alert')).toContainText('A code has eight letters');
  await expect(manager.getByLabel('Code on the till')).toBeFocused();
  await check(manager, 'wrong-code');
  await pair(manager, 'BCDF-GHJK', name);
  await expect(manager.getByRole('alert')).toContainText('No till shows this code.');
  await expect(manager.getByLabel('Code on the till')).toHaveValue('BCDF-GHJK');
  await expect(manager.getByLabel('Name')).toHaveValue(name);

  const pages = [await openPage(browser), await openPage(browser)];
  const codes = await Promise.all(pages.map(showCode));
  await pair(manager, codes[0] ?? '', name);
  await expect(manager.getByRole('status').filter({ hasText: 'is paired' })).toBeVisible();
  await pair(manager, codes[1] ?? '', name);
  await expect(manager.getByRole('alert')).toHaveText('Another device has this name.');
  const another = newName();
  await pair(manager, codes[1] ?? '', another);
  for (const page of pages) {
    await expect(new Till(page).connection).toHaveAttribute('data-state', 'live');
    await page.context().close();
  }
});

test('the till says that the server is unreachable, and continues by itself', async ({ browser }) => {
  const page = await openPage(browser);
  await page.route('**/api/pairings', (route) => route.abort());
  await page.getByRole('button', { name: 'Pair this till' }).click();
  await expect(page.getByRole('alert')).toContainText('The server could not be reached.');
  await check(page, 'away');
  await page.unroute('**/api/pairings');
  await expect(codeOf(page)).toHaveText(/^[B-Z]{4}-[B-Z]{4}$/);

  await page.route('**/api/pairings/state', (route) => route.abort());
  await expect(page.getByRole('alert')).toContainText('This page goes on trying.');
  await expect(codeOf(page), 'the code is still good').toBeVisible();
  await page.unroute('**/api/pairings/state');
  await page.getByRole('button', { name: 'Retry now' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(codeOf(page)).toBeVisible();
  await page.context().close();
});

test('a paired till is signed out after a confirmation, and cannot pair another till', async ({
  browser,
  openTill,
}) => {
  const manager = (await openTill('manager@demo.example', phone)).page;
  await openDevices(manager);
  const page = await openPage(browser);
  const name = newName();
  await manager.getByRole('radio', { name: 'kitchen' }).check();
  await pair(manager, await showCode(page), name);
  await expect(new Till(page).connection).toHaveAttribute('data-state', 'live');
  const account = page.getByRole('button', { name: `Account of ${name}` });
  await account.click();
  await expect(page.getByRole('link', { name: 'Preferences' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Devices' })).toHaveCount(0);
  await page.getByRole('button', { name: 'Sign out' }).click();
  const question = page.getByRole('alertdialog', { name: 'Sign this till out?' });
  await question.getByRole('button', { name: 'Stay signed in' }).click();
  await expect(new Till(page).connection).toHaveAttribute('data-state', 'live');
  await page.goto(`${runningStack().origin}/#/devices`);
  await expect(page.getByRole('heading', { name: 'Orders', exact: true })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Paired devices' })).toHaveCount(0);
  await account.click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await question.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('button', { name: 'Pair this till' })).toBeVisible();
  await page.context().close();
});

test('both pages speak Indonesian on the smallest phone', async ({ browser, openTill }) => {
  const small = { viewport: { width: 320, height: 780 } };
  const page = await openPage(browser, small, 'id');
  await page.getByRole('button', { name: 'Pasangkan kasir ini' }).click();
  await expect(codeOf(page)).toHaveText(/^[B-Z]{4}-[B-Z]{4}$/);
  await check(page, 'code-id');
  const manager = (await openTill('manager@kopi.example', { ...small, language: 'id' })).page;
  await manager.goto(`${runningStack().origin}/#/devices`);
  await expect(manager.getByRole('heading', { name: 'Perangkat yang dipasangkan' })).toBeVisible();
  await check(manager, 'devices-id');
  await page.context().close();
});
