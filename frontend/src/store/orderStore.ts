/** The orders of one tenant, whatever order news of them arrives in. */
import { byNewest, newest, type Order } from '../model/order';
import { announcer, type Observable } from './observable';

export interface Orders {
  /** Newest first. */
  readonly orders: readonly Order[];
}

export interface OrderStore extends Observable<Orders> {
  /** Takes in what was heard of orders, from events, answers and snapshots alike: the highest version stays. */
  apply(...heard: readonly Order[]): void;
}

export function orderStore(): OrderStore {
  const { subscribe, announce } = announcer();
  const orders = new Map<string, Order>();
  let snapshot: Orders | undefined;

  return {
    subscribe,
    getSnapshot() {
      snapshot ??= { orders: [...orders.values()].sort(byNewest) };
      return snapshot;
    },
    apply(...heard) {
      let changed = false;
      for (const order of heard) {
        const known = orders.get(order.orderId);
        const merged = known === undefined ? order : newest(known, order);
        if (merged === known) continue;
        orders.set(order.orderId, merged);
        changed = true;
      }
      if (changed) change();
    },
  };

  function change(): void {
    snapshot = undefined;
    announce();
  }
}
