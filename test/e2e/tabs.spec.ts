import { runningStack } from './stack';
import { expect, Till, test } from './till';
import { ApiUser, newReference } from './users';

const tabs = 20;

test('twenty tabs share one stream, and all of them work', async ({ openTill }) => {
  const reference = newReference();
  const first = await openTill('cashier@demo.example');
  const context = first.page.context();
  const kept = await first.page.evaluate(() => sessionStorage.getItem('orderbell.session') ?? '');
  await context.addInitScript((session) => sessionStorage.setItem('orderbell.session', session), kept);
  let streams = 0;
  context.on('request', (request) => {
    if (new URL(request.url()).pathname === '/api/sse/notifications') streams += 1;
  });
  const others: Till[] = [];
  while (others.length < tabs - 1) {
    const page = await context.newPage();
    await page.goto(`${runningStack().origin}/#/?sort=newest`);
    others.push(new Till(page));
    await expect(others.at(-1)?.connection ?? first.connection).toHaveText('Live');
  }
  expect(streams, 'streams of the other tabs').toBe(0);

  await first.create('4.20', reference);
  await expect(first.page.getByText(`Order ${reference} created.`)).toBeVisible();
  for (const tab of others) await expect(tab.order(reference)).toHaveCount(1);

  // Another tab takes over, and later changes appear in all of them.
  await first.page.close();
  const later = newReference();
  await (await ApiUser.named('owner@demo.example')).create(later);
  for (const tab of others) await expect(tab.order(later)).toHaveCount(1);
  expect(streams).toBe(1);
});
