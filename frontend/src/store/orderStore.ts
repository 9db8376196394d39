/** The orders of one tenant. Changes may arrive in any order. */
import { byNewest, newest, type Order } from '../model/order';
import { announcer, type Observable } from './observable';

export interface Orders {
  /** Newest first. */
  readonly orders: readonly Order[];
}

export interface OrderStore extends Observable<Orders> {
  /** Applies orders from events, responses and snapshots: the highest version wins. */
  apply(...heard: readonly Order[]): void;
  /** Removes orders, unless a newer version has arrived meanwhile. */
  forget(gone: readonly Order[]): void;
  get(orderId: string): Order | undefined;
  /** Calls back with the orders that a change added or changed. Returns the function that stops it. */
  onChange(listener: (changed: readonly Order[]) => void): () => void;
}

export function orderStore(): OrderStore {
  const { subscribe, announce } = announcer();
  const listeners = new Set<(changed: readonly Order[]) => void>();
  const orders = new Map<string, Order>();
  /** The orders of the last snapshot; those changed since are in `changed`. */
  let sorted: readonly Order[] = [];
  let changed = new Map<string, Order>();
  let snapshot: Orders = { orders: sorted };

  return {
    subscribe,
    getSnapshot() {
      if (changed.size > 0) {
        sorted = merged(sorted, changed);
        changed = new Map();
        snapshot = { orders: sorted };
      }
      return snapshot;
    },
    apply(...heard) {
      const news: Order[] = [];
      for (const order of heard) {
        const known = orders.get(order.orderId);
        const now = known === undefined ? order : newest(known, order);
        if (now === known) continue;
        orders.set(order.orderId, now);
        changed.set(order.orderId, now);
        news.push(now);
      }
      if (news.length === 0) return;
      announce();
      for (const tell of listeners) tell(news);
    },
    forget(gone) {
      const ids = new Set(
        gone.filter((order) => orders.get(order.orderId) === order).map((order) => order.orderId),
      );
      if (ids.size === 0) return;
      for (const id of ids) {
        orders.delete(id);
        changed.delete(id);
      }
      sorted = merged(sorted, changed).filter((order) => !ids.has(order.orderId));
      changed = new Map();
      snapshot = { orders: sorted };
      announce();
    },
    get: (orderId) => orders.get(orderId),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The sorted orders with the changed ones at their places: two sorted lists in one pass, not a sort of thousands. */
function merged(sorted: readonly Order[], changed: ReadonlyMap<string, Order>): readonly Order[] {
  const news = [...changed.values()].sort(byNewest);
  const result: Order[] = [];
  let next = 0;
  for (const order of sorted) {
    if (changed.has(order.orderId)) continue;
    for (let first = news[next]; first !== undefined && byNewest(first, order) < 0; first = news[next]) {
      result.push(first);
      next += 1;
    }
    result.push(order);
  }
  return [...result, ...news.slice(next)];
}
