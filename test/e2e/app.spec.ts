/** The page as an app on a till: it can be installed, opens without a network, keeps working after an update, and prints an order. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { BrowserContext, Page } from '@playwright/test';
import { Line } from './proxy';
import { repository, runningStack } from './stack';
import { expect, Till, test } from './till';
import { ApiUser, newReference } from './users';

const report = join(repository, '.report');

test.use({ serviceWorkers: 'allow' });

/** The browser stores the page and the list shortly after the page is live. */
async function kept(page: Page): Promise<void> {
  await page.waitForFunction(async () => {
    const worker = await navigator.serviceWorker.getRegistration();
    const storages = [sessionStorage, localStorage];
    return worker?.active?.state === 'activated' && storages.some((s) => keysOf(s).length > 0);

    function keysOf(storage: Storage): string[] {
      return Object.keys(storage).filter((key) => key.startsWith('orderbell.listed '));
    }
  });
}

function keptLists(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...Object.keys(sessionStorage), ...Object.keys(localStorage)].filter((key) =>
      key.startsWith('orderbell.list'),
    ),
  );
}

async function signInToStay(page: Page, email: string): Promise<Till> {
  await page.goto(runningStack().origin);
  await page.getByRole('checkbox', { name: 'Stay signed in on this till' }).check();
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: email }).click();
  const till = new Till(page);
  await expect(till.connection).toHaveAttribute('data-state', 'live');
  return till;
}

async function inEnglish(context: BrowserContext): Promise<BrowserContext> {
  await context.addInitScript(() => localStorage.setItem('orderbell.language', 'en'));
  return context;
}

for (const { name, colorScheme, viewport } of [
  { name: 'tablet-light', colorScheme: 'light', viewport: { width: 800, height: 1100 } },
  { name: 'phone-dark', colorScheme: 'dark', viewport: { width: 360, height: 780 } },
] as const) {
  test(`a till opens without a network, with the last list and its time, ${name}`, async ({ browser }) => {
    test.slow(); // it opens the page five times
    const context = await inEnglish(await browser.newContext({ colorScheme, viewport }));
    const first = await context.newPage();
    const till = await signInToStay(first, 'cashier@demo.example');
    const { reference } = await (await ApiUser.named('owner@demo.example')).create(newReference());
    await first.goto(`${runningStack().origin}/#/?sort=newest`);
    await expect(till.order(reference)).toBeVisible();
    await first.reload();
    await expect(till.order(reference)).toBeVisible();
    await kept(first);
    await expect
      .poll(() => first.evaluate((of) => JSON.stringify(localStorage).includes(of), reference))
      .toBe(true);
    const heightOfTop = await first.locator('.top').evaluate((top) => top.clientHeight);
    const again = new Till(await context.newPage()); // before the other is closed: Chromium may open none once all are
    await first.close();

    await context.setOffline(true);
    await again.page.goto(`${runningStack().origin}/#/?sort=newest`);
    await expect(again.order(reference)).toBeVisible();
    await expect(again.connection).toHaveText(/Not live since \d/);
    await expect(again.page.getByTestId('stale')).toHaveText(
      /This device is offline\. The orders are those of \d+:\d\d.*\. New orders are not taken\./,
    );
    const open = again.page.locator('.new-order-toggle');
    if (await open.isVisible()) await open.click();
    const create = again.page.getByRole('button', { name: 'Create order' });
    await expect(create).toHaveAttribute('aria-disabled', 'true');
    await again.page.getByLabel('Amount').fill('9.75');
    expect(await again.page.locator('.top').evaluate((top) => top.clientHeight)).toBe(heightOfTop);
    // Nothing leaves the screen, even with the longest text of the badge.
    expect(await again.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    await again.page.screenshot({ path: join(report, `e2e-offline-${name}.png`) });

    await context.setOffline(false);
    await expect(again.connection).toHaveAttribute('data-state', 'live');
    await expect(again.page.getByLabel('Amount'), 'what was typed is kept').toHaveValue('9.75');
    await expect(create).toHaveAttribute('aria-disabled', 'false');

    await again.page.getByRole('button', { name: /^Account of/ }).click();
    await again.page.getByRole('button', { name: 'Sign out' }).click();
    await expect(again.page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
    // Signing out redirects to the provider, so the page may still be loading.
    await expect(async () => expect(await keptLists(again.page)).toEqual([])).toPass();
    const other = await context.newPage();
    await again.page.close();
    await context.setOffline(true);
    await other.goto(runningStack().origin);
    await expect(other.getByRole('heading', { name: 'Orderbell' })).toBeVisible();
    await expect(other.getByText(reference)).toHaveCount(0);
    await context.close();
  });
}

test('a page opens with the last list and its time while the server is unreachable', async ({ openTill }) => {
  const line = await Line.to(runningStack().origin);
  const till = await openTill('cashier@demo.example', { at: line.origin });
  const { reference } = await (await ApiUser.named('owner@demo.example')).create(newReference());
  await expect(till.order(reference)).toBeVisible();
  await kept(till.page);
  await expect
    .poll(() => till.page.evaluate((of) => JSON.stringify(sessionStorage).includes(of), reference))
    .toBe(true);
  line.cut();
  await till.page.reload();
  await expect(till.order(reference)).toBeVisible();
  await expect(till.connection).toHaveText(/Not live since \d/);
  line.mend();
  await expect(till.connection).toHaveAttribute('data-state', 'live');
  await line.close();
});

/** An origin that gets a new build while pages of the old one are open. */
async function updating(origin: string) {
  let isUpdated = false;
  const far = new URL(origin);
  const server = createServer((incoming, answer) => {
    if (isUpdated && incoming.url?.startsWith('/assets/') === true)
      answer.writeHead(404).end('of another build');
    else if (isUpdated && incoming.url === '/sw.js')
      answer.setHeader('Content-Type', 'text/javascript').end(newWorker);
    else pass(incoming, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  function pass(incoming: IncomingMessage, answer: ServerResponse): void {
    const { method, url, headers } = incoming;
    const onward = request({ host: '127.0.0.1', port: far.port, method, path: url, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    incoming.pipe(onward);
  }

  return {
    origin: `http://localhost:${String((server.address() as AddressInfo).port)}`,
    update: () => {
      isUpdated = true;
    },
    close: () => server.closeAllConnections(),
  };
}

/** The relevant part of the next build's service worker: it takes over at once. */
const newWorker = `
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.url.includes('/assets/')) event.respondWith(caches.match(event.request.url).then((r) => r ?? fetch(event.request)));
});`;

test('an update of the app does not break an open till', async ({ openTill }) => {
  const server = await updating(runningStack().origin);
  const till = await openTill('manager@demo.example', { at: server.origin });
  await kept(till.page);
  server.update();
  await till.page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    const changed = new Promise((resolve) => {
      navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true });
    });
    await registration?.update();
    await changed;
  });
  // Open parts of the page that were not loaded before the update.
  await till.page.goto(`${server.origin}/#/preferences`);
  await expect(till.page.getByRole('heading', { name: 'Preferences' })).toBeVisible();
  await till.page.goto(`${server.origin}/#/staff`);
  await expect(till.page.getByRole('heading', { name: 'Staff' })).toBeVisible();
  server.close();
});

test('the app can be installed, with icons of the sizes that its manifest names', async ({ openTill }) => {
  const till = await openTill('cashier@demo.example');
  await kept(till.page);
  const address = await till.page.locator('link[rel=manifest]').getAttribute('href');
  const answer = await till.page.request.get(`${runningStack().origin}${address ?? ''}`);
  expect(answer.headers()['content-type']).toBe('application/manifest+json');
  const { icons } = (await answer.json()) as { icons: { src: string; sizes: string }[] };
  for (const { src, sizes } of icons) {
    const size = await till.page.evaluate(async (of) => {
      const image = new Image();
      image.src = of;
      await image.decode();
      return `${String(image.naturalWidth)}x${String(image.naturalHeight)}`;
    }, src);
    if (sizes !== 'any') expect(size, src).toBe(sizes);
  }
  const devtools = await till.page.context().newCDPSession(till.page);
  const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
  expect(installabilityErrors.map((e) => e.errorId).filter((id) => id !== 'in-incognito')).toEqual([]);
});

test('a kitchen screen stays on if the setting is chosen', async ({ openTill }) => {
  const till = await openTill('kitchen@demo.example');
  await till.page.context().grantPermissions(['screen-wake-lock']);
  await till.page.goto(`${runningStack().origin}/#/preferences`);
  const choice = till.page.getByRole('checkbox', { name: 'Keep the screen on while this page is shown' });
  await expect(choice).not.toBeChecked();
  await choice.check();
  await till.page.reload();
  await expect(choice).toBeChecked();
  await expect(till.page.getByText('The device does not keep its screen on')).toHaveCount(0);
  await choice.scrollIntoViewIfNeeded();
  await till.page.screenshot({ path: join(report, 'e2e-device.png') });
});

test('a device calls for attention as its settings say, after a first touch', async ({ openTill }) => {
  const till = await openTill('cashier@demo.example');
  await kept(till.page);
  await till.page.context().grantPermissions(['notifications']);
  await till.page.goto(`${runningStack().origin}/#/preferences`);
  const sound = till.page.getByRole('checkbox', { name: 'A sound for notifications' });
  const browser = till.page.getByRole('checkbox', { name: 'Notifications of the browser' });
  await expect(sound).not.toBeChecked();
  await sound.check();
  await browser.click(); // it asks the browser for permission, and is checked after the answer
  await expect(browser).toBeChecked();
  await expect(till.page.getByText('The browser does not allow')).toHaveCount(0);
  await sound.scrollIntoViewIfNeeded();
  await till.page.screenshot({ path: join(report, 'e2e-alerts.png') });
  await till.page.reload();
  await expect(sound).toBeChecked();
  await expect(browser).toBeChecked();
  await till.page.getByRole('heading', { name: 'Preferences' }).click();
  await expect(till.page.getByText('Touch the page once')).toHaveCount(0);

  await expect(till.connection).toHaveAttribute('data-state', 'live');
  await till.page.evaluate(() => Object.defineProperty(document, 'hidden', { get: () => true }));
  const owner = await ApiUser.named('owner@demo.example');
  const order = await owner.create(newReference());
  await owner.pay(order);
  await expect
    .poll(() =>
      till.page.evaluate(async () => {
        const worker = await navigator.serviceWorker.getRegistration();
        return (await worker?.getNotifications())?.map((one) => one.body).join();
      }),
    )
    .toContain(order.reference);
});

test('an order is printed on one sheet, without the controls of the screen', async ({ openTill }) => {
  const { reference, order_id } = await (await ApiUser.named('owner@demo.example')).create(newReference());
  const till = await openTill('cashier@demo.example', { colorScheme: 'dark' });
  await till.page.goto(`${runningStack().origin}/#/orders/${order_id}`);
  await expect(till.page.getByRole('heading', { name: reference })).toBeVisible();
  await expect(till.page.getByRole('button', { name: 'Print' })).toBeVisible();
  await expect(till.page.getByTestId('change')).toHaveCount(1);
  await till.page.emulateMedia({ media: 'print' });
  for (const gone of ['Print', 'Take payment', 'Cancel order']) {
    await expect(till.page.getByRole('button', { name: gone })).toHaveCount(0);
  }
  await expect(till.page.getByTestId('connection')).toBeHidden();
  await expect(till.page.getByText('Back to the orders')).toBeHidden();
  await expect(till.page.getByText(/printed \d/)).toBeVisible();
  await till.page.screenshot({ path: join(report, 'e2e-print.png') });
  const pdf = await till.page.pdf({ format: 'A4' });
  expect(pdf.toString('latin1').match(/\/Type \/Page\b/g)).toHaveLength(1);
});

test('the first load has at most 150 KiB of compressed JavaScript', async ({ browser }) => {
  const context = await inEnglish(await browser.newContext({ serviceWorkers: 'block' }));
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Network.enable');
  const scripts = new Map<string, string>();
  const sizes = new Map<string, number>();
  devtools.on('Network.responseReceived', ({ requestId, response, type }) => {
    if (type === 'Script')
      scripts.set(
        requestId,
        response.headers['Content-Encoding'] ?? response.headers['content-encoding'] ?? '',
      );
  });
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) =>
    sizes.set(requestId, encodedDataLength),
  );
  await page.goto(runningStack().origin);
  await page.getByRole('button', { name: 'cashier@demo.example' }).click();
  await expect(new Till(page).connection).toHaveAttribute('data-state', 'live');
  const loaded = [...scripts.keys()].map((id) => sizes.get(id) ?? 0);
  const total = loaded.reduce((sum, size) => sum + size, 0);
  test.info().annotations.push({ type: 'first load', description: `${(total / 1024).toFixed(1)} KiB` });
  expect(total).toBeGreaterThan(50 * 1024); // scripts were measured
  expect(total).toBeLessThanOrEqual(150 * 1024);
  await context.close();
});
