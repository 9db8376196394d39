/** The rules of an order's states that the page needs. The server's internal/order decides. */
import { shownText } from './text';

export const statuses = [
  'submitted',
  'paid',
  'preparing',
  'ready',
  'completed',
  'cancelled',
  'refunded',
] as const;
export type Status = (typeof statuses)[number];

export const roles = ['owner', 'manager', 'cashier', 'kitchen', 'viewer'] as const;
export type Role = (typeof roles)[number];

/** The user who changed an order. */
export interface Actor {
  readonly userId: string;
  /** As it was then; may be empty. */
  readonly name: string;
}

export interface Order {
  readonly orderId: string;
  readonly tenantId: string;
  /** The number that is called out, such as A-1042; may be empty. */
  readonly reference: string;
  readonly status: Status;
  /** In the currency's minor unit. */
  readonly totalAmount: number;
  /** ISO 4217. */
  readonly currency: string;
  /** 1 at creation, one more with each change. */
  readonly version: number;
  /** Milliseconds since 1970. Until the snapshot or the first event tells, the earliest change seen. */
  readonly createdAt: number;
  /** Milliseconds since 1970. */
  readonly updatedAt: number;
  /** Until when the latest change can be taken back, in milliseconds since 1970; absent where it cannot. */
  readonly undoUntil?: number;
  /** Of an event: who made the change. Not every publisher names the user. */
  readonly actor?: Actor;
  /** Of an event: the state that was taken back. */
  readonly undone?: Status;
}

const following: Readonly<Record<Status, readonly Status[]>> = {
  submitted: ['paid', 'cancelled'],
  paid: ['preparing', 'ready', 'completed', 'refunded'],
  preparing: ['ready', 'completed', 'refunded'],
  ready: ['completed', 'refunded'],
  completed: ['refunded'],
  cancelled: [],
  refunded: [],
};

const sellers: readonly Role[] = ['owner', 'manager', 'cashier'];
const workers: readonly Role[] = [...sellers, 'kitchen'];

function hasAny(held: readonly Role[], wanted: readonly Role[]): boolean {
  return held.some((role) => wanted.includes(role));
}

/** Whether a user with these roles may create orders and take payments. */
export function maySell(held: readonly Role[]): boolean {
  return hasAny(held, sellers);
}

/** Whether a user with these roles may see the day's figures. */
export function mayLead(held: readonly Role[]): boolean {
  return hasAny(held, ['owner', 'manager']);
}

/** Who may bring an order into a state, by specs/004-order-notifications/contracts/order-transitions.json. */
function movers(next: Status): readonly Role[] {
  return next === 'paid' || next === 'cancelled' || next === 'refunded' ? sellers : workers;
}

/** The states to which a user with these roles may move an order, the usual next step first. */
export function nextStatuses(status: Status, held: readonly Role[]): readonly Status[] {
  return following[status].filter((next) => hasAny(held, movers(next)));
}

/** Whether the order needs no more work at the counter or in the kitchen. */
export function isDone(status: Status): boolean {
  return status === 'completed' || status === 'cancelled' || status === 'refunded';
}

export type Lateness = 'fresh' | 'waiting' | 'late' | 'done';

/** Minutes after which an open order is late. */
const lateAfter = 20;

/** An open order counts as long waiting after half of the time after which it is late. */
export function latenessOf(order: Order, now: number): Lateness {
  if (isDone(order.status)) return 'done';
  const minutes = (now - order.createdAt) / 60_000;
  return minutes >= lateAfter ? 'late' : minutes >= lateAfter / 2 ? 'waiting' : 'fresh';
}

/** The order's name for users: its reference, or the end of its id, in which UUIDs of the same second differ. */
export function orderName(order: Pick<Order, 'reference' | 'orderId'>): string {
  return shownText(order.reference) || `#${order.orderId.slice(-6)}`;
}

/** Newest first; the id decides between orders of one millisecond, so that the place never depends on arrival. */
export function byNewest(a: Order, b: Order): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  if (a.orderId === b.orderId) return 0;
  return a.orderId < b.orderId ? 1 : -1;
}

/**
 * Merges two states of an order, which may arrive in any order: the higher version and the earliest creation win. Of one version,
 * only order-api says how long it can be undone, and its response may arrive before the event or after it.
 * Commutative, associative and idempotent, so replays, overtaking events and snapshots cannot disagree.
 */
export function newest(a: Order, b: Order): Order {
  const winner = b.version > a.version ? b : a;
  const createdAt = Math.min(a.createdAt, b.createdAt);
  const undoUntil = a.version === b.version ? later(a.undoUntil, b.undoUntil) : winner.undoUntil;
  if (winner.createdAt === createdAt && winner.undoUntil === undoUntil) return winner;
  return { ...winner, createdAt, ...(undoUntil === undefined ? {} : { undoUntil }) };
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}
