/**
 * The operations page of `orderbell dev`: it breaks each part under a spike of orders and shows that nothing is lost. It has a stack
 * of its own, because it stops parts of it.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, expect, type Page, test } from '@playwright/test';
import type { AxeResults } from 'axe-core';
import { query } from './past';
import { readStack, repository, type Stack } from './stack';
import { startStack } from './start';

test.describe.configure({ mode: 'serial', timeout: 600_000 });

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const report = join(repository, '.report', 'e2e');

/** Events of a function that is down become dead letters, which are redriven when it has worked for half a minute. */
const patience = { timeout: 240_000 };

let running: { readonly data: string; readonly stop: () => Promise<void> };

/** Variables with the addresses of servers. This stack has its own servers, because it breaks some of them. */
const servers = ['DATABASE_URL', 'REDIS_URL', 'KAFKA_BROKERS', 'SMTP_URL', 'MAILPIT_URL'];

test.beforeAll(async () => {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !servers.includes(name)));
  running = await startStack('operations.log', env);
});

test.afterAll(async () => {
  await running.stop();
});

function stack(): Stack {
  const found = readStack(running.data);
  if (found === undefined) throw new Error('the stack of its own is not ready');
  return found;
}

async function open(browser: Browser, options: Parameters<Browser['newPage']>[0] = {}): Promise<Page> {
  const page = await browser.newPage(options);
  page.on('pageerror', (err) => expect(String(err), 'an error in the page').toBe(''));
  page.on('console', (message) => expect(message.text()).not.toContain('Content Security Policy'));
  await page.goto(stack().operations_url);
  await expect(page.locator('#way')).toHaveAttribute('data-way', 'none', patience);
  return page;
}

async function spike(page: Page, payments: number): Promise<void> {
  await page.getByLabel('Payments').fill(String(payments));
  await page.getByRole('button', { name: 'Make a spike' }).click();
  const made = `${payments} of ${payments} ${payments === 1 ? 'payment' : 'payments'}`;
  await expect(page.locator('#spike-text')).toHaveText(made, patience);
}

async function made(page: Page): Promise<number> {
  return Number((await page.locator('#made').textContent())?.replaceAll(',', ''));
}

async function expectNothingLost(page: Page): Promise<void> {
  await expect(page.locator('#way')).toHaveAttribute('data-way', 'none', patience);
  await page.getByRole('button', { name: 'Verify' }).click();
  await expect(page.locator('#verdict')).toContainText(
    'Nothing is lost, and nothing is duplicated',
    patience,
  );
}

test('the page shows the path of a spike', async ({ browser }) => {
  const page = await open(browser);
  const before = await made(page);
  await spike(page, 5);
  await expect.poll(() => made(page), patience).toBe(before + 10); // created and paid
  await expectNothingLost(page);
  for (const hop of ['order', 'outbox', 'kafka', 'function', 'redis', 'gateway', 'browser', 'mail'])
    await expect(page.locator(`[data-hop="${hop}"] .took`), hop).toHaveText(/\d (ms|s)$/);
  await expect(page.locator('#traces > li').first()).toContainText('POST');
  await expect(page.locator('#mails a').first()).toHaveAttribute('href', /\/view\//);
  await page.close();
});

for (const { hop, title } of [
  { hop: 'redis', title: 'Redis' },
  { hop: 'mail', title: 'the mail server' },
  { hop: 'function', title: 'the function order-paid' },
]) {
  test(`${title} is broken under a spike, and nothing is lost`, async ({ browser }) => {
    const page = await open(browser);
    const card = page.locator(`[data-hop="${hop}"]`);
    await card.getByRole('button', { name: `Break ${title}` }).click();
    await expect(card).toHaveAttribute('data-state', 'broken');
    await expect(card).toContainText(/Repairs itself in \d+ s/);
    await spike(page, 5);
    await expect(page.locator('#way')).toHaveAttribute('data-way', 'some');
    await page.screenshot({ path: join(report, `operations-${hop}.png`), fullPage: true });
    await card.getByRole('button', { name: `Repair ${title}` }).click();
    await expect(card).toHaveAttribute('data-state', 'up', patience);
    await expectNothingLost(page);
    await page.close();
  });
}

test('a dead letter is redriven by its button', async ({ browser }) => {
  const page = await open(browser);
  const card = page.locator('[data-hop="function"]');
  const letters = page.locator('#letters button');
  await expect(letters).toHaveCount(0, patience);
  await card.getByRole('button', { name: 'Break the function order-paid' }).click();
  await expect(card).toHaveAttribute('data-state', 'broken');
  await spike(page, 1);
  await expect(letters, 'the broker gives up').toHaveCount(1, patience);
  const redrive = page.getByRole('button', { name: (await letters.textContent()) ?? '', exact: true });
  const { dead_letters } = await (await page.request.get(`${stack().operations_url}/state`)).json();
  const event: string = dead_letters[0].event_id;
  const records = () =>
    query('SELECT 1 FROM event_records WHERE event_id = $1', [event], stack().database_url);
  expect(await records(), 'the function has not applied the event').toHaveLength(0);

  // At once: half a minute later the letter is sent again without a button. The broker tries until the function is back.
  const answer = page.waitForResponse((response) => response.url().endsWith('/redrive'));
  await redrive.click();
  expect(await (await answer).json()).toEqual({ redriven: 1 });
  await expect(redrive).toHaveCount(0);
  await card.getByRole('button', { name: 'Repair the function order-paid' }).click();
  await expect.poll(async () => (await records()).length, patience).toBe(1);
  await expectNothingLost(page);
  await expect(letters).toHaveCount(0);
  await page.close();
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1366, 360, 320]) {
    test(`the page is accessible and fits ${width} px, ${colorScheme}`, async ({ browser }) => {
      mkdirSync(report, { recursive: true });
      const page = await open(browser, { colorScheme, viewport: { width, height: 800 } });
      await expect(page.locator('#traces > li').first()).toBeVisible();
      await page.screenshot({ path: join(report, `operations-${width}-${colorScheme}.png`), fullPage: true });
      const content = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(content, 'nothing is wider than the screen').toBeLessThanOrEqual(width);
      await page.evaluate(axe);
      const found = await page.evaluate<AxeResults>(
        "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
      );
      expect(found.violations.map((v) => `${v.id}: ${v.nodes[0]?.html ?? ''}`)).toEqual([]);
      await page.close();
    });
  }
}

test('the page can be used with the keyboard alone', async ({ browser }) => {
  const page = await open(browser);
  const button = page.locator('[data-hop="redis"] button');
  await button.focus();
  await page.keyboard.press('Enter');
  await expect(button).toHaveText('Repair Redis');
  await expect(button).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(button).toHaveText('Break Redis', patience);
  await expect(button).toBeFocused();
  await page.close();
});
