/**
 * How fast the page is with 10,000 orders on it and 200,000 in the database. It has a stack of its own, because no other test can
 * do with so many orders. Its figures are a table in the output and files of the report. Times depend on what else the machine
 * does, so only what does not is asserted: the heap, the orders in the document, and how often the page is laid out and its styles
 * are computed.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { writeOrders } from './past';
import { readStack, repository } from './stack';
import { startStack } from './start';
import { expect, test } from './till';
import { type Figures, scroll } from './trace';

test.describe.configure({ mode: 'serial', timeout: 600_000 });
test.use({ screenshot: 'off' }); // Playwright's own pictures of each step would be measured too

const report = join(repository, '.report', 'e2e');
/** How far the test scrolls, and how many rows of 202 pixels that is: each is laid out once, as one above it goes. */
const frames = 300;
const pixels = 66;
const rowsPassed = Math.ceil((frames * pixels) / 202);
/** Of the clock, of the orders' ages and of the connection. */
const otherLayouts = 30;
/** Three orders on a desktop, with their buttons; and all elements of the list some times. */
const elementsOfRow = 60;
const otherElements = 2000;
const open = 10_000;
const old = 190_000;

let running: { readonly data: string; readonly stop: () => Promise<void> };

test.beforeAll(async () => {
  mkdirSync(report, { recursive: true });
  running = await startStack('speed.log', process.env);
  const database = stack().database_url;
  await writeOrders({ tenant: 'demo', count: open, daysAgo: 1, prefix: 'S-', status: 'paid', database });
  await writeOrders({ tenant: 'demo', count: old, daysAgo: 30, prefix: 'O-', database });
});

test.afterAll(async () => {
  await running.stop();
});

function stack() {
  const found = readStack(running.data);
  if (found === undefined) throw new Error('the stack of its own is not ready');
  return found;
}

const devices = [
  { name: 'desktop', slower: 1, viewport: { width: 1366, height: 900 } },
  { name: 'tablet', slower: 4, viewport: { width: 800, height: 1100 }, hasTouch: true },
] as const;

for (const { name, slower, ...options } of devices) {
  test(`10,000 orders scroll on a ${name}`, async ({ openTill }, info) => {
    const till = await openTill('owner@demo.example', { at: stack().origin, ...options });
    // A finger has no pointer over the page, which would search in each frame for what is below it.
    if (slower > 1) await till.page.mouse.move(0, 0);
    const client = await till.page.context().newCDPSession(till.page);
    const file = join(report, `speed-${name}-trace.json`);
    const all = till.page.getByText('10,000 orders', { exact: true });
    await expect(all).toBeVisible();
    // The throttle stops the page's thread by a loop in it, so its own time is measured without.
    const { cpuMs } = await scroll(till.page, frames, pixels, file);
    await till.page.evaluate("window.scrollTo({ top: 0, behavior: 'instant' })"); // a reload keeps the place
    await client.send('Emulation.setCPUThrottlingRate', { rate: slower });
    const firstMs = await firstOrder(till.page);
    await expect(all).toBeVisible();
    const figures = { ...(await scroll(till.page, frames, pixels, file)), cpuMs };
    const shown = await till.page.locator('[data-order-id]').count();

    const table = tableOf(name, slower, { ...figures, firstMs });
    process.stdout.write(table);
    writeFileSync(join(report, `speed-${name}.txt`), table);
    await info.attach(`speed-${name}.txt`, { body: table, contentType: 'text/plain' });
    await info.attach(`speed-${name}.json`, {
      body: JSON.stringify({ device: name, slower, firstMs, ...figures }, undefined, 2),
      contentType: 'application/json',
    });
    await info.attach(`speed-${name}-trace.json`, { path: file, contentType: 'application/json' });

    expect(figures.frames, 'frames in the trace').toBeGreaterThan(20);
    expect(shown, 'orders in the document').toBeLessThan(60);
    expect.soft(figures.heapMb, 'heap in MB').toBeLessThanOrEqual(30);
    expect.soft(figures.layouts, 'layouts in one task').toBeLessThanOrEqual(5);
    expect.soft(figures.allLayouts, 'layouts').toBeLessThanOrEqual(rowsPassed + otherLayouts);
    expect
      .soft(figures.styles, 'elements whose styles were computed')
      .toBeLessThanOrEqual(rowsPassed * elementsOfRow + otherElements);
  });
}

/** Milliseconds from the navigation until the first order is painted, with its controls. */
async function firstOrder(page: Page): Promise<number> {
  await page.addInitScript(() => {
    const watch = new MutationObserver(() => {
      if (document.querySelector('[data-order-id] button') === null) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => performance.mark('first order')));
    });
    watch.observe(document, { childList: true, subtree: true });
  });
  await page.reload();
  await page.waitForFunction(() => performance.getEntriesByName('first order').length > 0);
  return page.evaluate(() => performance.getEntriesByName('first order')[0]?.startTime ?? Number.NaN);
}

function tableOf(name: string, slower: number, f: Figures & { readonly firstMs: number }): string {
  const each = (ms: number) => `${ms.toFixed(2)} ms a frame`;
  const rows: readonly (readonly [string, string])[] = [
    ['device', slower === 1 ? name : `${name}, CPU ÷ ${String(slower)}`],
    ['cores', String(cpus().length)],
    ['frames', `${String(f.frames)} in ${f.seconds.toFixed(1)} s`],
    ['median frame', `${f.medianMs.toFixed(1)} ms`],
    ['worst frame', `${f.worstMs.toFixed(1)} ms`],
    ['frames over 16.7 ms', `${f.lateShare.toFixed(0)} %`],
    ['worst task, own time', `${f.worstTaskMs.toFixed(1)} ms`],
    ['own time, page', each(f.cpuMs.page)],
    ['own time, compositor', each(f.cpuMs.compositor)],
    ['own time, raster', each(f.cpuMs.raster)],
    ['own time, display', each(f.cpuMs.display)],
    ['layouts', `${String(f.allLayouts)}, at most ${String(f.layouts)} in a task`],
    ['styles computed', `of ${String(f.styles)} elements`],
    ['heap, at most', `${f.peakHeapMb.toFixed(1)} MB`],
    ['heap, collected', `${f.heapMb.toFixed(1)} MB`],
    ['first order to work with', `${f.firstMs.toFixed(0)} ms`],
  ];
  const line = ([what, value]: readonly [string, string]) => `| ${what.padEnd(24)} | ${value.padEnd(24)} |`;
  return [
    line(['figure', 'measured']),
    `| ${'-'.repeat(24)} | ${'-'.repeat(24)} |`,
    ...rows.map(line),
    '',
  ].join('\n');
}
