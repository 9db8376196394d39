/** The frames of the stream, as specs/004-order-notifications/contracts/sse-contract.md names them. */
import type { Order } from './order';
import {
  type EventType,
  fields,
  flag,
  isEventType,
  optionalText,
  parseEventData,
  parseEventType,
  parseJSON,
  text,
} from './wire';

export type Frame =
  /** The subscription exists. Without `resumed` nothing was replayed: what happened before is in the snapshot. */
  | { readonly kind: 'ready'; readonly resumed: boolean }
  | { readonly kind: 'order'; readonly type: EventType; readonly order: Order }
  | { readonly kind: 'notification'; readonly notification: Notification }
  /** The replay buffer could not bridge the gap; `snapshot` is the address that can. */
  | { readonly kind: 'resync'; readonly reason: string; readonly snapshot: string }
  /** The gateway is full and closes the stream; `retry:` said when to come back. */
  | { readonly kind: 'overloaded' }
  /** The stream will end with its token. */
  | { readonly kind: 'token_expiring' }
  /** A name that a newer gateway uses. */
  | { readonly kind: 'unknown'; readonly name: string };

export interface Notification {
  readonly notificationId: string;
  readonly eventId: string;
  readonly type: EventType;
  readonly order: Order;
}

/** Reads one frame; throws a WireError that says what breaks the contract. */
export function parseFrame(name: string, data: string): Frame {
  if (isEventType(name)) return { kind: 'order', type: name, order: parseEventData(parseJSON(data, name)) };
  switch (name) {
    case 'ready':
      return { kind: 'ready', resumed: flag(fields(parseJSON(data, name), name), 'resumed', name) };
    case 'notification':
      return { kind: 'notification', notification: parseNotification(parseJSON(data, name)) };
    case 'resync': {
      const of = fields(parseJSON(data, name), name);
      return {
        kind: 'resync',
        reason: optionalText(of, 'reason', name),
        snapshot: optionalText(of, 'snapshot', name),
      };
    }
    case 'overloaded':
    case 'token_expiring':
      return { kind: name };
    default:
      return { kind: 'unknown', name };
  }
}

function parseNotification(value: unknown): Notification {
  const of = fields(value, 'notification');
  return {
    notificationId: text(of, 'notification_id', 'notification'),
    eventId: text(of, 'event_id', 'notification'),
    type: parseEventType(of['event'], 'notification.event'),
    order: parseEventData(of['data'], 'notification.data'),
  };
}
