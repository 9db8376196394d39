import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFrame } from './frame';
import { eventTypes, WireError } from './wire';

const data = {
  order_id: 'o-1',
  tenant_id: 'demo',
  status: 'paid',
  total_amount: 1250,
  currency: 'EUR',
  version: 2,
  timestamp: '2026-11-24T10:00:00Z',
};
const order = {
  orderId: 'o-1',
  tenantId: 'demo',
  reference: '',
  status: 'paid',
  totalAmount: 1250,
  currency: 'EUR',
  version: 2,
  createdAt: 1_795_514_400_000,
  updatedAt: 1_795_514_400_000,
};

describe('parseFrame', () => {
  it.each([
    [
      'ready',
      { tenant_id: 'demo', resumed: true },
      { kind: 'ready', resumed: true, live: true, heartbeat: 0 },
    ],
    [
      'ready',
      { tenant_id: 'demo', resumed: false, live: false, heartbeat_ms: 2000 },
      { kind: 'ready', resumed: false, live: false, heartbeat: 2000 },
    ],
    [
      'degraded',
      { reason: 'unreachable', since: '2026-11-24T10:00:00Z' },
      { kind: 'degraded', since: Date.parse('2026-11-24T10:00:00Z') },
    ],
    ['live', { since: '2026-11-24T10:00:00Z' }, { kind: 'live' }],
    ['order_paid', data, { kind: 'order', type: 'order_paid', order }],
    ['order_committed', data, { kind: 'order_committed', order }],
    ['order_paid', { ...data, added_by_a_newer_server: 1 }, { kind: 'order', type: 'order_paid', order }],
    [
      'order_paid',
      { ...data, traceparent: '00-a-b-01' },
      { kind: 'order', type: 'order_paid', order, trace: '00-a-b-01' },
    ],
    ['order_paid', { ...data, traceparent: 7 }, { kind: 'order', type: 'order_paid', order }],
    [
      'notification',
      { notification_id: 'n-1', event_id: 'e-1', event: 'order_paid', data },
      {
        kind: 'notification',
        notification: { notificationId: 'n-1', eventId: 'e-1', type: 'order_paid', order },
      },
    ],
    ['resync', { reason: 'trimmed', snapshot: '/s' }, { kind: 'resync', reason: 'trimmed', snapshot: '/s' }],
    ['overloaded', {}, { kind: 'overloaded' }],
    ['token_expiring', {}, { kind: 'token_expiring' }],
    ['from_the_future', {}, { kind: 'unknown', name: 'from_the_future' }],
  ])('reads %s', (name, payload, want) => {
    expect(parseFrame(name, JSON.stringify(payload))).toEqual(want);
  });

  it.each([
    ['order_paid', '{"order_id"', 'order_paid is not JSON: "{\\"order_id\\""'],
    ['order_paid', '[]', 'data is [], want an object'],
    ['order_paid', JSON.stringify({ ...data, version: 0 }), 'data.version is 0, want an integer from 1'],
    [
      'order_paid',
      JSON.stringify({ ...data, timestamp: 'noon' }),
      'data.timestamp is "noon", want an RFC 3339 time',
    ],
    ['ready', '{"resumed":"yes"}', 'ready.resumed is "yes", want true or false'],
    [
      'notification',
      JSON.stringify({ event_id: 'e', event: 'order_paid', data }),
      'notification.notification_id is missing, want a string',
    ],
    [
      'notification',
      JSON.stringify({ notification_id: 'n', event_id: 'e', event: 'x', data }),
      'notification.event is "x", want one of order_created, order_paid, order_status_updated',
    ],
  ])('refuses %s with %s', (name, payload, message) => {
    expect(() => parseFrame(name, payload)).toThrow(new WireError(message));
  });

  it('answers anything at all with a frame or a WireError', () => {
    const names = fc.constantFrom(...eventTypes, 'ready', 'notification', 'resync', 'overloaded', 'message');
    fc.assert(
      fc.property(names, fc.oneof(fc.json(), fc.string()), (name, payload) => {
        try {
          expect(parseFrame(name, payload)).toHaveProperty('kind');
        } catch (err) {
          expect(err).toBeInstanceOf(WireError);
        }
      }),
    );
  });
});
