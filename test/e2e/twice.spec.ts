import { randomBytes, randomUUID } from 'node:crypto';
import { mailedAbout } from './mails';
import { sendAgain } from './outbox';
import { allowSource } from './sources';
import { program, runningStack } from './stack';
import { expect, test } from './till';
import { ApiUser, newReference } from './users';

const concerned = ['cashier@demo.example', 'manager@demo.example', 'owner@demo.example'];

interface Event {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly data: string;
}

interface EventData {
  readonly order_id: string;
  readonly tenant_id: string;
  readonly version: number;
  readonly timestamp: string;
}

/** Delivers an event to a function as the broker does, and returns the status of the response. */
async function deliver(to: string, event: Event): Promise<number> {
  const data = JSON.parse(event.data) as EventData;
  const response = await fetch(program(to).url, {
    method: 'POST',
    headers: {
      'ce-specversion': '1.0',
      'ce-id': event.id,
      'ce-source': event.source,
      'ce-type': event.type,
      'ce-subject': data.order_id,
      'ce-time': data.timestamp,
      'ce-tenantid': data.tenant_id,
      'ce-partitionkey': data.order_id,
      'ce-sequence': String(data.version),
      'Content-Type': 'application/json',
      Authorization: `Bearer ${runningStack().event_sender_secret}`,
    },
    body: event.data,
  });
  return response.status;
}

test('an event that is sent again appears once and is mailed once', async ({ openTill }) => {
  const [reference, later] = [newReference(), newReference()];
  const cashier = await ApiUser.named('cashier@demo.example');
  const till = await openTill('owner@demo.example');
  const order = await cashier.pay(await cashier.create(reference));
  await expect.poll(() => mailedAbout(reference)).toEqual(concerned);
  await expect(till.order(reference)).toHaveAttribute('data-status', 'paid');

  for (let i = 0; i < 3; i += 1) await sendAgain(order.order_id, 'order_paid');
  await sendAgain(order.order_id, 'order_created');

  // A later payment is mailed and shown, so all effects of the repeated events would have appeared by now.
  await cashier.pay(await cashier.create(later));
  await expect.poll(() => mailedAbout(later)).toEqual(concerned);
  await expect(till.order(later)).toHaveAttribute('data-status', 'paid');
  expect(await mailedAbout(reference)).toEqual(concerned);
  await expect(till.order(reference)).toHaveCount(1);
  await expect(till.order(reference)).toHaveAttribute('data-status', 'paid');
  await expect(till.page.getByTestId('notification').filter({ hasText: reference })).toHaveCount(1);
});

test('an event of another order service, delivered five times at once, creates one order and one mail per recipient', async ({
  openTill,
}) => {
  const [reference, later] = [newReference(), newReference()];
  await allowSource('/their/shop', 'demo');
  const till = await openTill('owner@demo.example');
  const event: Event = {
    id: newEventID(),
    source: '/their/shop',
    type: 'order_paid',
    data: JSON.stringify({
      order_id: randomUUID(),
      tenant_id: 'demo',
      status: 'paid',
      reference,
      total_amount: 990,
      currency: 'EUR',
      version: 2,
      timestamp: new Date().toISOString(),
    }),
  };
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => deliver('order-paid', event)));
  // A lock conflict answers with a status that asks for a retry. The event was applied once.
  expect(new Set(answers)).toContain(202);
  for (const status of answers) expect([202, 409]).toContain(status);

  const cashier = await ApiUser.named('cashier@demo.example');
  await cashier.pay(await cashier.create(later));
  await expect.poll(() => mailedAbout(later)).toEqual(concerned);
  await expect.poll(() => mailedAbout(reference)).toEqual(concerned);
  await expect(till.order(reference)).toHaveCount(1);
  await expect(till.page.getByTestId('notification').filter({ hasText: reference })).toHaveCount(1);
});

/** A UUIDv7 (RFC 9562 §5.7). */
function newEventID(): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
