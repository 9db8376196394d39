import { describe, expect, it } from 'vitest';
import { answer, type Filter, matches } from './listing';
import { type Order, orderName, type Status } from './order';

function orderWith(orderId: string, status: Status): Order {
  return {
    ...{ orderId, status, tenantId: 'demo', reference: orderId, totalAmount: 100, currency: 'EUR' },
    ...{ version: 2, createdAt: 0, updatedAt: 0 },
  };
}

const orders = [orderWith('completed a moment ago', 'completed'), orderWith('ready', 'ready')];

function shown(filter: Filter): readonly string[] {
  return answer(
    orders,
    {
      ...{ filter, sort: 'newest', search: '', since: 0, inPeriod: () => true },
      before: (order) => (order.status === 'completed' ? { ...order, status: 'ready' } : undefined),
    },
    (status) => status,
  ).map((order) => order.orderId);
}

describe('an order whose last change can be undone', () => {
  it('keeps its place where it belonged before, and stands where it belongs now', () => {
    expect(shown('active')).toEqual(['completed a moment ago', 'ready']);
    expect(shown('ready')).toEqual(['completed a moment ago', 'ready']);
    expect(shown('done')).toEqual(['completed a moment ago']);
  });

  it('stands nowhere else', () => {
    expect(shown('paid')).toEqual([]);
  });
});

describe('a search', () => {
  const order = { ...orderWith('a', 'ready'), reference: 'A-7', totalAmount: 1250 };

  it.each([
    ['12', true],
    ['12.50', true],
    ['€12', true],
    ['12.50 €', true],
    ['eur 12', true],
    ['13', false],
    ['e-et1nges', false], // a reference with one digit is no amount
    ['e-km1fjgm', false],
  ])('for %s finds an order of €12.50: %s', (search, found) => {
    expect(matches(order, search, (status) => status)).toBe(found);
  });

  it('finds an order without a reference by the name that the page shows', () => {
    const unnamed = { ...orderWith('0190c5f2-aaaa-7000-8000-00000012ab34', 'ready'), reference: '' };
    expect(orderName(unnamed)).toBe('#12ab34');
    expect(matches(unnamed, '#12ab34', (status) => status)).toBe(true);
    expect(matches(unnamed, '#12ab35', (status) => status)).toBe(false);
  });
});
