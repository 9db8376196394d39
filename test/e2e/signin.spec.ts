/** Signing in as in production: at an OpenID provider, which `orderbell dev` runs at its own origin. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from '@playwright/test';
import type { AxeResults } from 'axe-core';
import { repository, runningStack } from './stack';
import { expect, Till, test } from './till';
import { ApiUser, newReference } from './users';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const report = join(repository, '.report');

export const screens = [
  { name: 'desktop', viewport: { width: 1366, height: 800 } },
  { name: 'tablet', viewport: { width: 800, height: 1100 } },
  { name: 'phone', viewport: { width: 360, height: 780 } },
] as const;

async function open(browser: Browser, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext(options);
  await context.addInitScript(() => localStorage.setItem('orderbell.language', 'en'));
  return context.newPage();
}

/** Signs in at the provider from any page. */
async function signIn(page: Page, email: string, { stays = false } = {}): Promise<Till> {
  if (stays) await page.getByRole('checkbox', { name: 'Stay signed in on this till' }).check();
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Who are you?' })).toBeVisible();
  await page.getByRole('button', { name: email }).click();
  const till = new Till(page);
  await expect(till.connection).toHaveAttribute('data-state', 'live');
  return till;
}

async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const results = await page.evaluate<AxeResults>(
    "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
  );
  return results.violations.flatMap(({ id, nodes }) => nodes.map((n) => `${id}: ${n.html}`));
}

for (const { name, ...options } of screens) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`a user signs in at the provider and out again, ${name}, ${colorScheme}`, async ({ browser }) => {
      const page = await open(browser, { ...options, colorScheme });
      await page.goto(`${runningStack().origin}/#/preferences`);
      await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
      expect(await findings(page)).toEqual([]);
      await page.screenshot({ path: join(report, `e2e-signin-${name}-${colorScheme}.png`) });
      const till = await signIn(page, 'manager@demo.example');
      // The user returns to the same page, and the address has no code or state.
      expect(new URL(page.url()).pathname + new URL(page.url()).hash).toBe('/#/preferences');
      expect(new URL(page.url()).search).toBe('');
      await expect(page.getByText('To manager@demo.example.')).toBeVisible();

      const reference = newReference();
      await page.goto(`${runningStack().origin}/#/?sort=newest`);
      await (await ApiUser.named('owner@demo.example')).create(reference);
      await expect(till.order(reference)).toBeVisible();
      await page.reload();
      await expect(till.order(reference)).toBeVisible();

      await page.getByRole('button', { name: /^Account of/ }).click();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.waitForURL(`${runningStack().origin}/`); // through the provider, which ends the session
      await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
      await page.reload();
      await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
      expect(await stored(page)).toEqual([]);
      await page.context().close();
    });
  }
}

/** What the browser keeps of a session, by its keys. */
function stored(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...Object.keys(sessionStorage), ...Object.keys(localStorage)].filter(
      (key) => key.startsWith('orderbell.oidc.') || key === 'orderbell.session',
    ),
  );
}

test('a token is renewed repeatedly, without a missed order and without a message', async ({ browser }) => {
  const page = await open(browser);
  const renewals: string[] = [];
  page.on('request', (request) => {
    if (request.postData()?.includes('grant_type=refresh_token') === true) renewals.push(request.url());
  });
  await page.goto(`${runningStack().origin}/#/?sort=newest`);
  const till = await signIn(page, 'cashier@demo.example');
  await page.evaluate(() => {
    const states = new Set<string>();
    (window as unknown as { states: Set<string> }).states = states;
    const badge = document.querySelector('[data-testid=connection]');
    if (badge === null) throw new Error('no badge');
    new MutationObserver(() => states.add(badge.getAttribute('data-state') ?? '')).observe(badge, {
      attributes: true,
    });
  });
  const owner = await ApiUser.named('owner@demo.example');
  // Each order appears at once. Tokens are valid for 45 s here, and the stream warns 30 s before they expire.
  while (renewals.length < 2) {
    const { reference } = await owner.create(newReference());
    await expect(till.order(reference)).toBeVisible();
    await page.waitForTimeout(500);
  }
  const states = await page.evaluate(() => [...(window as unknown as { states: Set<string> }).states]);
  expect(
    states.filter((state) => state !== 'live'),
    'states of the badge meanwhile',
  ).toEqual([]);
  await page.context().close();
});

test('a user who stays signed in is signed in in each tab, and after the browser was closed', async ({
  browser,
}) => {
  const page = await open(browser);
  await page.goto(runningStack().origin);
  await signIn(page, 'cashier@kopi.example', { stays: true });
  const kept = await page.context().storageState();
  await page.context().close();

  const again = await browser.newContext({ storageState: kept });
  const [first, second] = [await again.newPage(), await again.newPage()];
  for (const tab of [first, second]) {
    await tab.goto(runningStack().origin);
    await expect(tab.getByTestId('connection')).toHaveAttribute('data-state', 'live');
  }
  await again.close();

  // Without that choice, another tab is not signed in.
  const other = await open(browser);
  await other.goto(runningStack().origin);
  await signIn(other, 'cashier@kopi.example');
  const tab = await other.context().newPage();
  await tab.goto(runningStack().origin);
  await expect(tab.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
  await other.context().close();
});

test('when the provider ends the session, the sign-in page opens and says why', async ({ browser }) => {
  const page = await open(browser);
  await page.goto(`${runningStack().origin}/#/?sort=newest`);
  const till = await signIn(page, 'cashier@demo.example');
  await page.getByLabel('Amount').fill('9.75');
  await page.route('**/oauth/token', (route) =>
    route.fulfill({
      status: 400,
      json: { error: 'invalid_grant' },
      headers: { 'Access-Control-Allow-Origin': '*' },
    }),
  );
  await expect(page.getByRole('alert')).toContainText('Your session has ended', { timeout: 90_000 });
  await page.unroute('**/oauth/token');
  await signIn(page, 'cashier@demo.example');
  await expect(till.page.getByLabel('Amount'), 'a half-typed order is kept').toHaveValue('9.75');
  await page.context().close();
});

test('a response of the provider to another browser’s request signs no user in', async ({ browser }) => {
  const page = await open(browser);
  await page.goto(`${runningStack().origin}/signed-in?code=stolen&state=of-another-browser`);
  await expect(page.getByRole('alert')).toContainText('You are not signed in');
  expect(await stored(page)).toEqual([]);
  expect(page.url()).toBe(`${runningStack().origin}/#/`);
  await signIn(page, 'viewer@demo.example'); // signing in still works

  const refused = await open(browser);
  await refused.goto(runningStack().origin);
  await refused.goto(`${runningStack().origin}/signed-in?error=access_denied&state=x`);
  await expect(refused.getByRole('alert')).toContainText('You are not signed in');
  for (const one of [page, refused]) await one.context().close();
});
