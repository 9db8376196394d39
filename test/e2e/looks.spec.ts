import { join } from 'node:path';
import { repository, runningStack } from './stack';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

/** Screenshots for a review, and the one property of the layout that a test can check: nothing leaves the screen. */
const report = join(repository, '.report');

const kinds = [
  { name: 'till', viewport: { width: 1366, height: 800 }, colorScheme: 'light' },
  { name: 'till-dark', viewport: { width: 1366, height: 800 }, colorScheme: 'dark' },
  { name: 'tablet', viewport: { width: 800, height: 1100 }, colorScheme: 'light' },
  { name: 'phone', viewport: { width: 360, height: 780 }, colorScheme: 'light', hasTouch: true },
] as const;

for (const { name, ...options } of kinds) {
  test(`the page on a ${name}`, async ({ openTill, browser }) => {
    const page = await browser.newPage(options);
    await page.goto(runningStack().origin);
    await expect(page.getByRole('button', { name: 'owner@demo.example' })).toBeVisible();
    await page.screenshot({ path: join(report, `e2e-${name}-sign-in.png`) });
    await page.close();

    const owner = await ApiUser.named('owner@demo.example');
    await owner.create(newReference(), 1990);
    await owner.create('', 450);
    await owner.changeStatus(await owner.pay(await owner.create(newReference(), 125_050)), 'ready');
    await owner.create('A reference as long as a receipt line, of sixty-four characters.', 99_999_999_900);
    const till = await openTill('manager@demo.example', options);
    const unpaid = await owner.create(newReference(), 3400);
    const [paid] = await Promise.all([
      owner.pay(unpaid),
      expect(till.page.getByTestId('toast')).toBeVisible(), // of this payment, or of a later one of another test
    ]);
    await expect(till.order(paid.reference)).toHaveAttribute('data-status', 'paid');
    await till.page.screenshot({ path: join(report, `e2e-${name}.png`) });

    const { width, content } = await till.page.evaluate(() => ({
      width: document.documentElement.clientWidth,
      content: document.documentElement.scrollWidth,
    }));
    expect(content, 'nothing is wider than the screen').toBeLessThanOrEqual(width);

    await till.page.getByRole('button', { name: /^Notifications/ }).click();
    await till.page.screenshot({ path: join(report, `e2e-${name}-notifications.png`) });
  });
}
