import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Order } from '../model/order';
import { orderStore } from './orderStore';

function anOrder(orderId: string, version: number, more: Partial<Order> = {}): Order {
  return {
    orderId,
    tenantId: 'demo',
    reference: '',
    status: 'submitted',
    totalAmount: version,
    currency: 'EUR',
    version,
    createdAt: 1000 + version,
    updatedAt: 1000 + version,
    ...more,
  };
}

describe('apply', () => {
  it('ends the same for every interleaving of events, repeats and snapshots', () => {
    const news = fc.record({
      orderId: fc.constantFrom('a', 'b', 'c'),
      version: fc.integer({ min: 1, max: 5 }),
      isFromSnapshot: fc.boolean(),
    });
    const heard = fc
      .array(news, { minLength: 1, maxLength: 30 })
      .map((list) =>
        list.map(({ orderId, version, isFromSnapshot }) =>
          anOrder(orderId, version, isFromSnapshot ? { createdAt: 1001 } : {}),
        ),
      );
    const shuffled = heard.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
    );
    fc.assert(
      fc.property(shuffled, ([list, again]) => {
        const [inTurn, inAnyTurn] = [orderStore(), orderStore()];
        inTurn.apply(...list);
        for (const order of again) inAnyTurn.apply(order);
        expect(inAnyTurn.getSnapshot()).toEqual(inTurn.getSnapshot());
        for (const order of inTurn.getSnapshot().orders) {
          const versions = list.filter((o) => o.orderId === order.orderId).map((o) => o.version);
          expect(order.version).toBe(Math.max(...versions));
        }
      }),
    );
  });

  it('learns the creation from an event that was overtaken', () => {
    const store = orderStore();
    store.apply(anOrder('a', 2, { createdAt: 2000, updatedAt: 2000 }));
    store.apply(anOrder('a', 1, { createdAt: 1000, updatedAt: 1000 }));
    expect(store.getSnapshot().orders).toEqual([anOrder('a', 2, { createdAt: 1000, updatedAt: 2000 })]);
  });

  it('tells listeners once for many changes, and not at all for none', async () => {
    const store = orderStore();
    const listener = vi.fn();
    const stop = store.subscribe(listener);
    store.apply(anOrder('a', 1));
    store.apply(anOrder('b', 1));
    await Promise.resolve();
    expect(listener).toHaveBeenCalledTimes(1);

    const before = store.getSnapshot();
    store.apply(anOrder('a', 1));
    await Promise.resolve();
    expect(listener).toHaveBeenCalledTimes(1);
    expect(store.getSnapshot()).toBe(before);

    stop();
    store.apply(anOrder('a', 2));
    await Promise.resolve();
    expect(listener).toHaveBeenCalledTimes(1);
  });
});
