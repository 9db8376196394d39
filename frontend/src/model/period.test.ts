import { describe, expect, it } from 'vitest';
import type { Order, Status } from './order';
import { choiceOf, inPeriod, periodChoices, periodFor, periodOf, queryFor } from './period';

function order(createdAt: string, status: Status): Order {
  const at = Date.parse(createdAt);
  return {
    orderId: 'o',
    tenantId: 't',
    reference: '',
    status,
    totalAmount: 1,
    currency: 'EUR',
    version: 1,
    createdAt: at,
    updatedAt: at,
  };
}

const now = Date.parse('2026-11-24T02:00:00Z'); // 9 in the morning in Jakarta

describe('the current period', () => {
  const belongs = inPeriod({ kind: 'current' }, 'Asia/Jakarta', now);
  it('has open orders of any age, and done ones of today by the business’s clock', () => {
    expect(belongs(order('2025-01-01T00:00:00Z', 'ready'))).toBe(true);
    expect(belongs(order('2026-11-23T17:00:00Z', 'completed'))).toBe(true);
    expect(belongs(order('2026-11-23T16:59:59Z', 'completed'))).toBe(false);
  });
});

describe('some days', () => {
  const belongs = inPeriod({ kind: 'days', from: '2026-11-22', to: '2026-11-23' }, 'Asia/Jakarta', now);
  it('begin with the first and end after the last', () => {
    expect(belongs(order('2026-11-21T16:59:59Z', 'ready'))).toBe(false);
    expect(belongs(order('2026-11-21T17:00:00Z', 'ready'))).toBe(true);
    expect(belongs(order('2026-11-23T16:59:59Z', 'completed'))).toBe(true);
    expect(belongs(order('2026-11-23T17:00:00Z', 'completed'))).toBe(false);
  });
});

describe('an address', () => {
  it.each(periodChoices)('keeps the choice %s', (choice) => {
    const period = periodFor(choice, '2026-11-24');
    expect(periodOf(new URLSearchParams(queryFor(period)))).toEqual(period);
    expect(choiceOf(period, '2026-11-24')).toBe(choice);
  });

  it('that makes no sense means the current period', () => {
    for (const query of ['from=x&to=y', 'from=2026-11-24&to=2026-11-23', 'to=2026-11-23', 'days=1']) {
      expect(periodOf(new URLSearchParams(query)), query).toEqual({ kind: 'current' });
    }
  });
});
