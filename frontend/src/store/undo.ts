/**
 * The user's own latest changes that order-api still takes back, wherever on the page they were made. Their orders keep their
 * places in the lists meanwhile: a tap that hit the wrong order is put right where it happened. The time is measured on this
 * device, because its clock may be wrong.
 */
import type { Order } from '../model/order';
import { announcer, type Observable } from './observable';

export interface Undoable {
  /** The order before the change. */
  readonly before: Order;
  /** Of the order after it: any later change ends the undo. */
  readonly version: number;
}

export type Undoables = ReadonlyMap<string, Undoable>;

/** The order before its latest change, if that can be undone: no other change came after it. */
export function beforeUndoable(undoables: Undoables, { orderId, version }: Order): Order | undefined {
  const change = undoables.get(orderId);
  return change?.version === version ? change.before : undefined;
}

export interface UndoStore extends Observable<Undoables> {
  /** The user has changed an order; `before` is undefined if it was not known here. */
  made(before: Order | undefined, after: Order): void;
  close(): void;
}

export function undoStore(): UndoStore {
  const { subscribe, announce } = announcer();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  let undoable: Undoables = new Map();

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
