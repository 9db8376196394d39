import { mailedAbout, mailsAbout, textOf } from './mails';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

test('an order created on one till appears on the other tills of the business only', async ({ openTill }) => {
  const reference = newReference();
  const cashier = await openTill('cashier@demo.example');
  const kitchen = await openTill('kitchen@demo.example');
  const elsewhere = await openTill('owner@kopi.example');

  await cashier.create('12.50', reference);
  await expect(cashier.page.getByText(`Order ${reference} created.`)).toBeVisible();
  for (const till of [cashier, kitchen]) {
    await expect(till.order(reference)).toContainText('€12.50');
    await expect(till.order(reference)).toHaveAttribute('data-status', 'submitted');
  }

  // A later order of the other business is shown, so the first order would be shown, too, if it were going to be.
  const theirs = newReference();
  await (await ApiUser.named('owner@kopi.example')).create(theirs, 125_000, 'IDR');
  await expect(elsewhere.order(theirs)).toContainText('IDR 125,000');
  await expect(elsewhere.order(reference)).toHaveCount(0);
  await expect(cashier.order(theirs)).toHaveCount(0);
});

test('a payment appears on every till, and each recipient gets a notification and one mail', async ({
  openTill,
}) => {
  const reference = newReference();
  const cashier = await openTill('cashier@demo.example');
  const owner = await openTill('owner@demo.example');
  const kitchen = await openTill('kitchen@demo.example');
  // A notification is read on every till of the user. Only this test uses the manager's inbox.
  const [manager, otherTill] = [
    await openTill('manager@demo.example'),
    await openTill('manager@demo.example'),
  ];

  await cashier.create('8', reference);
  await owner.keepToasts();
  await cashier.press('Take payment', reference);
  expect(await owner.toastAbout(reference)).toContain(`Order ${reference} was paid: €8.00`);
  for (const till of [cashier, owner, kitchen]) {
    await expect(till.order(reference)).toHaveAttribute('data-status', 'paid');
  }

  const concerned = ['cashier@demo.example', 'manager@demo.example', 'owner@demo.example'];
  await expect.poll(() => mailedAbout(reference)).toEqual(concerned);
  const [mail] = await mailsAbout(reference);
  if (mail === undefined) throw new Error('the mail is gone');
  expect(await textOf(mail)).toContain('8.00'); // the page and the mail agree on the amount

  await expect(kitchen.page.getByTestId('notification').filter({ hasText: reference })).toHaveCount(0);
  const rowOf = ({ page }: typeof manager) => page.getByTestId('notification').filter({ hasText: reference });
  await manager.page.getByRole('button', { name: /^Notifications, \d+ unread$/ }).click();
  const row = rowOf(manager);
  await expect(row).toBeVisible();
  await expect(row).toContainText('Unread');
  await expect(rowOf(otherTill)).toContainText('Unread');
  await row.getByRole('link').click(); // opens the order, and marks this notification as read
  await expect(manager.page.getByRole('heading', { name: reference, level: 2 })).toBeVisible();
  await expect(row).toBeHidden();
  for (const till of [manager, otherTill]) {
    await expect(rowOf(till)).not.toContainText('Unread'); // others may arrive meanwhile: this one is read
  }
  await otherTill.page.reload();
  await expect(rowOf(otherTill)).toHaveCount(1); // the inbox is stored on the server
  await expect(rowOf(otherTill)).not.toContainText('Unread');
});

test('each user changes the order as far as their role permits', async ({ openTill }) => {
  const reference = newReference();
  const order = await (await ApiUser.named('owner@demo.example')).create(reference);
  const cashier = await openTill('cashier@demo.example');
  const kitchen = await openTill('kitchen@demo.example');
  const viewer = await openTill('viewer@demo.example');

  await expect(viewer.order(reference)).toBeVisible();
  await expect(viewer.order(reference).getByRole('button')).toHaveCount(0);
  await expect(viewer.page.getByRole('button', { name: 'Create order' })).toHaveCount(0);
  await expect(kitchen.order(reference).getByRole('button', { name: 'Take payment' })).toHaveCount(0);

  await cashier.press('Take payment', reference);
  await kitchen.press('Start preparing', reference);
  await kitchen.press('Mark ready', reference);
  await cashier.press('Complete', reference);
  await expect(viewer.order(reference)).toHaveCount(0);
  await viewer.showAll();
  await expect(viewer.order(reference)).toHaveAttribute('data-status', 'completed');

  await cashier.showAll();
  await cashier.press('Refund', reference);
  const dialog = cashier.page.getByRole('alertdialog', { name: `Refund order ${reference}?` });
  await expect(dialog).toContainText('€12.50');
  const answers = await Promise.all(
    [/^Refund/, 'Keep it'].map(async (name) => dialog.getByRole('button', { name }).boundingBox()),
  );
  expect(apart(answers), 'pixels between the two answers').toBeGreaterThanOrEqual(24);
  await dialog.getByRole('button', { name: /^Refund/ }).click();
  await expect(viewer.order(reference)).toHaveAttribute('data-status', 'refunded');
  await expect(viewer.order(reference)).toHaveAttribute('data-version', '6');
  expect(order.version).toBe(1);
});

test('a reload keeps the user and the orders; signing out does not', async ({ openTill }) => {
  const reference = newReference();
  await (await ApiUser.named('owner@demo.example')).create(reference);
  const till = await openTill('owner@demo.example');
  await expect(till.order(reference)).toBeVisible();
  await till.page.reload();
  await expect(till.order(reference)).toBeVisible();

  await till.page.getByRole('button', { name: /^Account of/ }).click();
  await till.page
    .getByRole('button', { name: /of Kopi Senja/ })
    .first()
    .click();
  await expect(till.page.getByRole('heading', { name: 'Kopi Senja', level: 1 })).toBeVisible();
  await expect(till.order(reference)).toHaveCount(0);

  await till.page.getByRole('button', { name: /^Account of/ }).click();
  await till.page.getByRole('button', { name: 'Sign out' }).click();
  await expect(till.page.getByRole('button', { name: 'owner@demo.example' })).toBeVisible();
  await till.page.reload();
  await expect(till.page.getByRole('button', { name: 'owner@demo.example' })).toBeVisible();
});

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The pixels between two boxes: the larger of the gaps across and down. */
function apart([a, b]: readonly (Box | null)[]): number {
  if (a == null || b == null) throw new Error('a box is not on the page');
  const across = Math.max(a.x, b.x) - Math.min(a.x + a.width, b.x + b.width);
  const down = Math.max(a.y, b.y) - Math.min(a.y + a.height, b.y + b.height);
  return Math.max(across, down);
}
