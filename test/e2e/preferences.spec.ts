import { join } from 'node:path';
import { type Mail, mailsAbout, pageOf, unsubscribeLink } from './mails';
import { repository, runningStack } from './stack';
import { expect, type Till, test } from './till';
import { ApiUser, newReference } from './users';

/** No other test uses the mails of this business. */
const email = 'owner@kopi.example';
const report = join(repository, '.report');

/** Creates and pays an order, and returns the owner's mail about it. */
async function mailOfASale(owner: ApiUser): Promise<Mail> {
  const reference = newReference();
  await owner.pay(await owner.create(reference, 125_000, 'IDR'));
  const ours = async () => (await mailsAbout(reference)).find((mail) => mail.to === email);
  await expect.poll(ours).toBeDefined();
  const mail = await ours();
  if (mail === undefined) throw new Error('the mail is gone');
  return mail;
}

function emailSwitch({ page }: Pick<Till, 'page'>) {
  return page.getByRole('checkbox', { name: 'Send me e-mail' });
}

test('the page of a mail’s link stops the mails with a button, and the preferences start them again', async ({
  browser,
}) => {
  const owner = await ApiUser.named(email);
  const mail = await mailOfASale(owner);
  const link = await unsubscribeLink(mail);
  const context = await browser.newContext({ viewport: { width: 720, height: 900 } });
  await context.addInitScript(() => localStorage.setItem('orderbell.language', 'en'));
  const page = await context.newPage();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto(pageOf(mail));
    await page.screenshot({ path: join(report, `e2e-mail-${colorScheme}.png`), fullPage: true });
    await page.goto(link);
    await page.screenshot({ path: join(report, `e2e-unsubscribe-${colorScheme}.png`) });
  }
  expect((await owner.me()).notification_email_enabled, 'looking changes nothing').toBe(true);

  await page.getByRole('button', { name: 'Hentikan email' }).click(); // this business speaks Indonesian
  await expect(page.getByRole('heading')).toHaveText('Anda tidak akan menerima email lagi');
  expect((await owner.me()).notification_email_enabled).toBe(false);
  await page.screenshot({ path: join(report, 'e2e-unsubscribe-done.png') });

  await page.getByRole('link').click();
  await page.getByRole('button', { name: email }).click();
  await expect(page.getByRole('heading', { name: 'Preferences' })).toBeVisible();
  await expect(emailSwitch({ page })).not.toBeChecked();
  await emailSwitch({ page }).check();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  expect((await owner.me()).notification_email_enabled).toBe(true);

  const again = await page.goto(link);
  expect(again?.status()).toBe(400);
  await expect(page.getByRole('heading')).toHaveText('Tautan ini sudah pernah digunakan');
  const forged = await page.goto(`${link.slice(0, -3)}AAA`);
  expect(forged?.status()).toBe(400);
  await page.screenshot({ path: join(report, 'e2e-unsubscribe-forged.png') });

  // As a mail client does, without a page (RFC 8058).
  const response = await fetch(await unsubscribeLink(await mailOfASale(owner)), {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'List-Unsubscribe=One-Click',
    redirect: 'error',
  });
  expect(response.status).toBe(200);
  expect((await owner.me()).notification_email_enabled).toBe(false);
  await page.goto(`${runningStack().origin}/#/preferences`);
  await emailSwitch({ page }).check();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await context.close();
});

for (const { name, ...options } of [
  { name: 'till', viewport: { width: 1366, height: 900 }, colorScheme: 'light' },
  { name: 'till-dark', viewport: { width: 1366, height: 900 }, colorScheme: 'dark' },
  { name: 'phone', viewport: { width: 360, height: 780 }, colorScheme: 'light', hasTouch: true },
] as const) {
  test(`the preferences on a ${name}`, async ({ openTill }) => {
    const { page } = await openTill('viewer@demo.example', options);
    await page.getByRole('button', { name: /^Account of/ }).click();
    await page.getByRole('link', { name: 'Preferences' }).click();
    await page.getByRole('checkbox', { name: 'Keep e-mail back' }).check(); // and never saved
    await expect(page.getByLabel('From')).toHaveValue('22:00');
    await expect(page.getByLabel('Account', { exact: true })).toBeHidden();
    await page.screenshot({ path: join(report, `e2e-${name}-preferences.png`), fullPage: true });
    const { width, content } = await page.evaluate(() => ({
      width: document.documentElement.clientWidth,
      content: document.documentElement.scrollWidth,
    }));
    expect(content, 'nothing is wider than the screen').toBeLessThanOrEqual(width);
    await page.getByRole('link', { name: 'Back to the orders' }).click();
    await expect(page.getByRole('heading', { name: 'New order' })).toHaveCount(0); // a viewer cannot create orders
    await expect(page.getByRole('checkbox', { name: 'Keep e-mail back' })).toHaveCount(0);
  });
}
