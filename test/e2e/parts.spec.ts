/** Files of the page that cannot be loaded, as when the network changes while they are. */
import { runningStack } from './stack';
import { expect, test } from './till';

test('a page without one of its files says so, and starts by itself', async ({ page }) => {
  let isThere = false;
  await page.route('**/assets/react-dom-*.js', (route) =>
    isThere ? route.continue() : route.abort('failed'),
  );
  await page.goto(runningStack().origin);
  await expect(page.getByRole('alert')).toHaveText(/^The page could not be loaded completely\./);
  isThere = true;
  await expect(page.getByRole('button', { name: 'cashier@demo.example' })).toBeVisible();
});

test('a part that cannot be loaded says so in its place, and the rest goes on', async ({ openTill }) => {
  const { page } = await openTill('cashier@demo.example');
  await page.route('**/assets/PreferencesPage-*.js', (route) => route.abort('failed'));
  await page.goto(`${runningStack().origin}/#/preferences`);
  await expect(page.getByRole('alert')).toContainText('Part of the page could not be loaded.');
  await page.getByRole('alert').getByRole('link').click();
  await expect(page.getByRole('searchbox')).toBeVisible();
  await expect(page.getByText('Part of the page could not be loaded.')).toHaveCount(0);
});
