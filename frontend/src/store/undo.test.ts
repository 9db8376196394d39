import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Order } from '../model/order';
import { undoStore } from './undo';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function orderAt(version: number, undoUntil?: number): Order {
  const order: Order = {
    orderId: 'a',
    tenantId: 'demo',
    reference: 'A-1',
    status: version === 1 ? 'submitted' : 'completed',
    totalAmount: 100,
    currency: 'EUR',
    version,
    createdAt: 0,
    updatedAt: 5_000_000,
  };
  return undoUntil === undefined ? order : { ...order, undoUntil };
}

describe('what can be undone', () => {
  it('is remembered for as long as order-api allows it, whatever this device’s clock says', () => {
    const store = undoStore();
    store.made(orderAt(1), orderAt(2, 5_060_000));
    expect(store.getSnapshot().get('a')).toEqual({ before: orderAt(1), version: 2 });
    vi.advanceTimersByTime(59_999);
    expect(store.getSnapshot().size).toBe(1);
    vi.advanceTimersByTime(1);
    expect(store.getSnapshot().size).toBe(0);
  });

  it('is over with the next change', () => {
    const store = undoStore();
    store.made(orderAt(1), orderAt(2, 5_060_000));
    store.made(orderAt(2), orderAt(3));
    expect(store.getSnapshot().size).toBe(0);
  });

  it('is not known of an order that was not here before', () => {
    const store = undoStore();
    store.made(undefined, orderAt(2, 5_060_000));
    expect(store.getSnapshot().size).toBe(0);
  });
});
