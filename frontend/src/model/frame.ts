/** The frames of the stream, as specs/004-order-notifications/contracts/sse-contract.md names them. */
import type { Order } from './order';
import {
  type EventType,
  fields,
  flag,
  integer,
  isEventType,
  list,
  optionalText,
  parseEventData,
  parseEventType,
  parseJSON,
  text,
  time,
} from './wire';

export type Frame =
  /** The subscription exists. Without `resumed` earlier changes are in the snapshot. */
  | {
      readonly kind: 'ready';
      readonly resumed: boolean;
      /** Whether the gateway guarantees the feed; true if the field is missing. */
      readonly live: boolean;
      /** The stream sends a byte at least this often, in milliseconds; 0 if the gateway does not say. */
      readonly heartbeat: number;
    }
  | {
      readonly kind: 'order';
      readonly type: EventType;
      readonly order: Order;
      /** W3C trace context, of a change whose trace is sampled. */
      readonly trace?: string;
    }
  /** An order whose event has not arrived yet. */
  | { readonly kind: 'order_committed'; readonly order: Order }
  | { readonly kind: 'notification'; readonly notification: Notification }
  /** The user has read notifications, in this tab or another. */
  | { readonly kind: 'notification_read'; readonly reading: Reading }
  /** The gateway cannot replay all missed events; `snapshot` is the address of the list to load instead. */
  | { readonly kind: 'resync'; readonly reason: string; readonly snapshot: string }
  /** What happened after `since` (ms since 1970) may be missing, until a `live` frame. */
  | { readonly kind: 'degraded'; readonly since: number }
  /** The feed is guaranteed again: all missed events arrived before this frame. */
  | { readonly kind: 'live' }
  /** The gateway is full and closes the stream; `retry:` says when to reconnect. */
  | { readonly kind: 'overloaded' }
  /** The stream will end with its token. */
  | { readonly kind: 'token_expiring' }
  /** A name that a newer gateway uses. */
  | { readonly kind: 'unknown'; readonly name: string };

/** What a user has just read. */
export interface Reading {
  readonly notificationIds: readonly string[];
  /** All notifications of earlier frames, whether listed or not. */
  readonly all: boolean;
  /** The number of unread notifications that remain. */
  readonly unread: number;
}

export interface Notification {
  readonly notificationId: string;
  readonly eventId: string;
  readonly type: EventType;
  readonly order: Order;
}

/** Parses one frame. Throws a WireError that says how it breaks the contract. */
export function parseFrame(name: string, data: string): Frame {
  if (isEventType(name)) {
    const value = parseJSON(data, name);
    const order = parseEventData(value);
    const trace = fields(value, name)['traceparent'];
    return { kind: 'order', type: name, order, ...(typeof trace === 'string' ? { trace } : {}) };
  }
  switch (name) {
    case 'ready':
      return parseReady(fields(parseJSON(data, name), name));
    case 'degraded':
      return { kind: name, since: time(fields(parseJSON(data, name), name), 'since', name) };
    case 'live':
      return { kind: name };
    case 'order_committed':
      return { kind: name, order: parseEventData(parseJSON(data, name)) };
    case 'notification':
      return { kind: 'notification', notification: parseNotification(parseJSON(data, name)) };
    case 'notification_read':
      return { kind: name, reading: parseReading(parseJSON(data, name), name) };
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

function parseReady(of: ReturnType<typeof fields>): Frame {
  return {
    kind: 'ready',
    resumed: flag(of, 'resumed', 'ready'),
    live: of['live'] === undefined || flag(of, 'live', 'ready'),
    heartbeat: of['heartbeat_ms'] === undefined ? 0 : integer(of, 'heartbeat_ms', 'ready', 1),
  };
}

export function parseNotification(value: unknown, where = 'notification'): Notification {
  const of = fields(value, where);
  return {
    notificationId: text(of, 'notification_id', where),
    eventId: text(of, 'event_id', where),
    type: parseEventType(of['event'], `${where}.event`),
    order: parseEventData(of['data'], `${where}.data`),
  };
}

export function parseReading(value: unknown, where: string): Reading {
  const of = fields(value, where);
  return {
    notificationIds: list(of['notification_ids'], `${where}.notification_ids`, (id, at) =>
      text({ id }, 'id', at),
    ),
    all: flag(of, 'all', where),
    unread: integer(of, 'unread', where, 0),
  };
}
