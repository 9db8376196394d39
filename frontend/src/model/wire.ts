/**
 * Converts `unknown` to the model: every payload is checked here once and is typed afterwards. Unknown fields are ignored, so that
 * a newer server can add some.
 */
import { type Actor, type Order, type Role, roles, type Status, statuses } from './order';

export const eventTypes = ['order_created', 'order_paid', 'order_status_updated'] as const;
export type EventType = (typeof eventTypes)[number];

/** A payload that breaks its contract; the message says what and where. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

type Fields = Readonly<Record<string, unknown>>;

export function fields(value: unknown, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new WireError(`${where} is ${shown(value)}, want an object`);
  }
  return value as Fields;
}

export function list<T>(value: unknown, where: string, each: (item: unknown, where: string) => T): T[] {
  if (!Array.isArray(value)) throw new WireError(`${where} is ${shown(value)}, want an array`);
  return value.map((item: unknown, i) => each(item, `${where}[${String(i)}]`));
}

export function text(of: Fields, field: string, where: string): string {
  const value = of[field];
  if (typeof value !== 'string' || value === '') {
    throw new WireError(`${where}.${field} is ${shown(value)}, want a string`);
  }
  return value;
}

export function optionalText(of: Fields, field: string, where: string): string {
  const value = of[field];
  return value === undefined || value === null || value === '' ? '' : text(of, field, where);
}

export function flag(of: Fields, field: string, where: string): boolean {
  const value = of[field];
  if (typeof value !== 'boolean')
    throw new WireError(`${where}.${field} is ${shown(value)}, want true or false`);
  return value;
}

export function integer(of: Fields, field: string, where: string, least: number): number {
  const value = of[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
    throw new WireError(`${where}.${field} is ${shown(value)}, want an integer from ${String(least)}`);
  }
  return value;
}

export function oneOf<T extends string>(allowed: readonly T[], value: unknown, where: string): T {
  const found = allowed.find((a) => a === value);
  if (found === undefined)
    throw new WireError(`${where} is ${shown(value)}, want one of ${allowed.join(', ')}`);
  return found;
}

/** An RFC 3339 time as milliseconds since 1970. Without an offset Date.parse would use this machine's zone. */
export function time(of: Fields, field: string, where: string): number {
  const value = text(of, field, where);
  const at = /(?:Z|[+-]\d\d:\d\d)$/i.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(at)) throw new WireError(`${where}.${field} is ${shown(value)}, want an RFC 3339 time`);
  return at;
}

export function currency(of: Fields, where: string): string {
  const value = text(of, 'currency', where);
  if (!/^[A-Z]{3}$/.test(value)) {
    throw new WireError(`${where}.currency is ${shown(value)}, want three capital letters`);
  }
  return value;
}

function commonOrder(of: Fields, where: string): Omit<Order, 'createdAt' | 'updatedAt'> {
  return {
    orderId: text(of, 'order_id', where),
    tenantId: text(of, 'tenant_id', where),
    reference: optionalText(of, 'reference', where),
    status: oneOf<Status>(statuses, of['status'], `${where}.status`),
    totalAmount: integer(of, 'total_amount', where, 0),
    currency: currency(of, where),
    version: integer(of, 'version', where, 1),
  };
}

/** An order as the order API answers it. */
export function parseOrder(value: unknown, where = 'order'): Order {
  const of = fields(value, where);
  return {
    ...commonOrder(of, where),
    createdAt: time(of, 'created_at', where),
    updatedAt: time(of, 'updated_at', where),
    ...(of['undo_until'] === undefined ? {} : { undoUntil: time(of, 'undo_until', where) }),
  };
}

/** An event's data: the order after the change, without the time of its creation. */
export function parseEventData(value: unknown, where = 'data'): Order {
  const of = fields(value, where);
  const at = time(of, 'timestamp', where);
  return { ...commonOrder(of, where), ...change(of, where), createdAt: at, updatedAt: at };
}

/** Fields that only an event has: who made the change, and whether it was an undo. */
function change(of: Fields, where: string): Pick<Order, 'actor' | 'undone'> {
  const found: { actor?: Actor; undone?: Status } = {};
  if (of['actor'] !== undefined) {
    const actor = fields(of['actor'], `${where}.actor`);
    found.actor = {
      userId: text(actor, 'user_id', `${where}.actor`),
      name: optionalText(actor, 'name', `${where}.actor`),
    };
  }
  if (of['undone'] !== undefined) found.undone = oneOf<Status>(statuses, of['undone'], `${where}.undone`);
  return found;
}

export interface SnapshotPage {
  readonly orders: readonly Order[];
  /** "" on the last page. */
  readonly nextCursor: string;
}

export function parseSnapshotPage(value: unknown): SnapshotPage {
  const of = fields(value, 'snapshot');
  return {
    orders: list(of['orders'], 'snapshot.orders', parseOrder),
    nextCursor: optionalText(of, 'next_cursor', 'snapshot'),
  };
}

/** How many orders are in each state. */
export interface Counts {
  readonly counts: Readonly<Partial<Record<Status, number>>>;
  /** A count of this many may be more. */
  readonly upTo: number;
}

export function parseCounts(value: unknown): Counts {
  const of = fields(value, 'counts');
  const counts = fields(of['counts'], 'counts.counts');
  const known = statuses.filter((status) => counts[status] !== undefined);
  return {
    counts: Object.fromEntries(known.map((s) => [s, integer(counts, s, 'counts.counts', 0)])),
    upTo: integer(of, 'up_to', 'counts', 1),
  };
}

export function isEventType(value: string): value is EventType {
  return (eventTypes as readonly string[]).includes(value);
}

export function parseEventType(value: unknown, where: string): EventType {
  return oneOf(eventTypes, value, where);
}

/** Roles as a token or /dev/users names them; names that this page does not know grant nothing. */
export function parseRoles(value: unknown): readonly Role[] {
  const names: unknown[] = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
  return roles.filter((role) => names.includes(role));
}

export function parseJSON(body: string, where: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new WireError(`${where} is not JSON: ${shown(body)}`);
  }
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const json = JSON.stringify(value);
  return json.length > 60 ? `${json.slice(0, 60)}…` : json;
}
