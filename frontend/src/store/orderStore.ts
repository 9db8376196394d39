/** The orders of one tenant and the notifications of one person, whatever order news of them arrives in. */
import type { Notification } from '../model/frame';
import { byNewest, newest, type Order } from '../model/order';
import { announcer, type Observable } from './observable';

export interface Notice extends Notification {
  readonly read: boolean;
  /** Milliseconds since 1970, by this machine's clock. */
  readonly receivedAt: number;
}

export interface Orders {
  /** Newest first. */
  readonly orders: readonly Order[];
  /** Newest first, the latest 100. */
  readonly notices: readonly Notice[];
  readonly unread: number;
}

export interface OrderStore extends Observable<Orders> {
  /** Takes in what was heard of orders, from events, answers and snapshots alike: the highest version stays. */
  apply(...heard: readonly Order[]): void;
  /** Takes in a notification unless its id is known; says whether it was new. */
  notify(notification: Notification): boolean;
  markAllRead(): void;
}

/** More than a person scrolls through; the inbox is the server's. */
const mostNotices = 100;
/** Ids outlive their notices, so that a late replay of a dropped one does not ring again. */
const mostNoticeIds = 10_000;

export function orderStore(now: () => number = Date.now): OrderStore {
  const { subscribe, announce } = announcer();
  const orders = new Map<string, Order>();
  const noticeIds = new Set<string>();
  let notices: readonly Notice[] = [];
  let snapshot: Orders | undefined;

  return {
    subscribe,
    getSnapshot() {
      snapshot ??= {
        orders: [...orders.values()].sort(byNewest),
        notices,
        unread: notices.reduce((count, notice) => count + (notice.read ? 0 : 1), 0),
      };
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
    notify(notification) {
      if (noticeIds.has(notification.notificationId)) return false;
      remember(notification.notificationId);
      notices = [{ ...notification, read: false, receivedAt: now() }, ...notices].slice(0, mostNotices);
      change();
      return true;
    },
    markAllRead() {
      if (notices.every((notice) => notice.read)) return;
      notices = notices.map((notice) => (notice.read ? notice : { ...notice, read: true }));
      change();
    },
  };

  function remember(noticeId: string): void {
    noticeIds.add(noticeId);
    if (noticeIds.size <= mostNoticeIds) return;
    for (const oldest of noticeIds) {
      noticeIds.delete(oldest);
      return;
    }
  }

  function change(): void {
    snapshot = undefined;
    announce();
  }
}
