/**
 * The user's own latest changes that order-api still takes back. Their orders keep their places in the lists meanwhile: a tap
 * that hit the wrong order is put right where it happened. The time is this device's: its clock may be wrong.
 */
import type { Order } from '../model/order';
import { announcer, type Observable } from './observable';

export interface Undoable {
  /** The order before the change. */
  readonly before: Order;
  /** Of the order after it: any later change ends the undo. */
  readonly version: number;
}

export interface UndoStore extends Observable<ReadonlyMap<string, Undoable>> {
  /** The user has changed an order; `before` is undefined if it was not known here. */
  made(before: Order | undefined, after: Order): void;
  close(): void;
}

export function undoStore(): UndoStore {
  const { subscribe, announce } = announcer();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  let undoable: ReadonlyMap<string, Undoable> = new Map();

  return {
    subscribe,
    getSnapshot: () => undoable,
    made(before, after) {
      const { orderId, version, undoUntil, updatedAt } = after;
      clearTimeout(timers.get(orderId));
      timers.delete(orderId);
      if (before === undefined || undoUntil === undefined) {
        become(orderId, undefined);
        return;
      }
      become(orderId, { before, version });
      timers.set(
        orderId,
        setTimeout(() => become(orderId, undefined), undoUntil - updatedAt),
      );
    },
    close() {
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };

  function become(orderId: string, change: Undoable | undefined): void {
    if (change === undefined && !undoable.has(orderId)) return;
    const next = new Map(undoable);
    if (change === undefined) next.delete(orderId);
    else next.set(orderId, change);
    undoable = next;
    announce();
  }
}
