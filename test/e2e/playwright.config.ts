import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { defineConfig } from '@playwright/test';

const report = '../../.report/e2e';

/** CHROMIUM_PATH, else the machine's own Chromium, else the one of `npx playwright install chromium`. */
function findChromium(): string | undefined {
  const given = process.env['CHROMIUM_PATH'];
  if (given !== undefined && given !== '') return given;
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
}

const chromium = findChromium();

export default defineConfig({
  testMatch: '*.spec.ts',
  globalSetup: './start.ts',
  outputDir: `${report}/results`,
  reporter: [['list']],
  fullyParallel: true,
  workers: 2,
  forbidOnly: true,
  retries: 0, // a test that sometimes fails is broken
  timeout: 120_000, // the browser and all programs may share two cores
  expect: { timeout: 30_000 },
  use: {
    locale: 'en-US',
    timezoneId: 'UTC',
    serviceWorkers: 'block', // they would answer before a test's route does; app.spec.ts allows them
    trace: 'off', // it costs a third of the time; `npm test -- --trace on` keeps one
    screenshot: 'only-on-failure',
    launchOptions: {
      ...(chromium === undefined ? {} : { executablePath: chromium }),
      chromiumSandbox: process.getuid?.() !== 0, // Chromium refuses its sandbox to root
      // The browser must request nothing except the pages under test.
      args: [
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-gpu',
        '--disable-quic',
        '--disable-sync',
        '--no-first-run',
      ],
    },
  },
});
