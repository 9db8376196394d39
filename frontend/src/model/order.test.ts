import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byNewest, newest, nextStatuses, type Order, orderName, statuses } from './order';

const someOrder = (orderId: fc.Arbitrary<string> = fc.constant('a')): fc.Arbitrary<Order> =>
  fc
    .record({
      orderId,
      version: fc.integer({ min: 1, max: 6 }),
      createdAt: fc.integer({ min: 0, max: 3 }),
      // An answer of order-api says it, the event of the same change does not.
      isAnswer: fc.boolean(),
    })
    .map(({ orderId: id, version, createdAt, isAnswer }) => ({
      orderId: id,
      tenantId: 'demo',
      reference: '',
      // What an order is at a version is one thing, whoever tells it.
      status: statuses[version % statuses.length] ?? 'submitted',
      totalAmount: 100,
      currency: 'EUR',
      version,
      createdAt,
      updatedAt: version * 1000,
      ...(isAnswer ? { undoUntil: version * 1000 + 60_000 } : {}),
    }));

describe('newest', () => {
  it('is the same whoever is heard of first', () => {
    fc.assert(
      fc.property(someOrder(), someOrder(), (a, b) => {
        expect(newest(a, b)).toEqual(newest(b, a));
      }),
    );
  });

  it('is the same however the hearing is grouped', () => {
    fc.assert(
      fc.property(someOrder(), someOrder(), someOrder(), (a, b, c) => {
        expect(newest(newest(a, b), c)).toEqual(newest(a, newest(b, c)));
      }),
    );
  });

  it('knows until when a change can be undone, whether its event or its answer came first', () => {
    fc.assert(
      fc.property(someOrder(), (a) => {
        const { undoUntil: _, ...event } = a;
        const answer = { ...a, undoUntil: 60_000 };
        expect(newest(event, answer).undoUntil).toBe(60_000);
        expect(newest(answer, event).undoUntil).toBe(60_000);
      }),
    );
  });

  it('keeps the very object if nothing is new, so that nothing is drawn again', () => {
    fc.assert(
      fc.property(someOrder(), (a) => {
        expect(newest(a, { ...a })).toBe(a);
      }),
    );
  });
});

describe('byNewest', () => {
  it('sorts any arrival into the same order', () => {
    const some = fc.uniqueArray(someOrder(fc.constantFrom('a', 'b', 'c', 'd', 'e')), {
      selector: (o) => o.orderId,
    });
    fc.assert(
      fc.property(some, (orders) => {
        expect([...orders].reverse().sort(byNewest)).toEqual([...orders].sort(byNewest));
      }),
    );
  });
});

describe('nextStatuses', () => {
  it.each([
    ['submitted', ['owner'], ['paid', 'cancelled']],
    ['submitted', ['kitchen'], []],
    ['submitted', ['viewer'], []],
    ['paid', ['kitchen'], ['preparing', 'ready', 'completed']],
    ['preparing', ['cashier', 'viewer'], ['ready', 'completed', 'refunded']],
    ['ready', ['manager'], ['completed', 'refunded']],
    ['completed', ['owner'], ['refunded']],
    ['cancelled', ['owner'], []],
    ['refunded', ['owner'], []],
    ['paid', [], []],
  ] as const)('after %s for %j: %j', (status, roles, want) => {
    expect(nextStatuses(status, roles)).toEqual(want);
  });
});

describe('orderName', () => {
  it('is the reference, or the end of the id', () => {
    expect(orderName({ reference: 'A-1042', orderId: 'x' })).toBe('A-1042');
    expect(orderName({ reference: '', orderId: '6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10' })).toBe('#1f9b10');
  });
});
