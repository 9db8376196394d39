/**
 * The last list of orders, for a page that opens without a network or a server. It is in the same storage as the session, so that
 * it ends with the session: with the tab, or when the user signs out.
 */
import { isDone, type Order, type Status, statuses } from '../model/order';
import { fields, integer, list, oneOf, optionalText, text } from '../model/wire';
import type { Session } from '../services/session';
import type { FreshnessStore } from './freshness';
import type { Observable } from './observable';
import type { OrderStore } from './orderStore';
import type { Loading } from './snapshot';

export interface KeptList {
  /** Until when the list was right, in milliseconds since 1970. */
  readonly at: number;
  readonly orders: readonly Order[];
}

export interface ListKeeper {
  load(): KeptList | undefined;
  save(list: KeptList): void;
  clear(): void;
}

/** Enough for the open orders and a day's others of the largest businesses: 1.5 MB of the 5 MB that a browser allows. */
const mostOrders = 5000;

/** `isKept` says whether the session is still kept here: another tab may have signed the user out. */
export function keepListIn(storage: Storage, session: Session, isKept: () => boolean): ListKeeper {
  const ordersKey = `orderbell.list ${session.tenantId} ${session.email}`;
  const timeKey = `orderbell.listed ${session.tenantId} ${session.email}`;
  let saved: readonly Order[] | undefined;

  return {
    load() {
      try {
        const at = Number(storage.getItem(timeKey));
        const kept = storage.getItem(ordersKey);
        if (kept === null || !(at > 0)) return undefined;
        return { at, orders: list(JSON.parse(kept), 'kept list', parseKept) };
      } catch {
        clear(); // written by another version of this page
        return undefined;
      }
    },
    save({ at, orders }) {
      if (!isKept()) return;
      try {
        if (orders !== saved) storage.setItem(ordersKey, JSON.stringify(orders.slice(0, mostOrders)));
        storage.setItem(timeKey, String(at));
        saved = orders;
      } catch {
        clear(); // the storage is full: no list is better than an incomplete one
      }
    },
    clear,
  };

  function clear(): void {
    saved = undefined;
    storage.removeItem(ordersKey);
    storage.removeItem(timeKey);
  }
}

function parseKept(value: unknown, where: string): Order {
  const of = fields(value, where);
  return {
    orderId: text(of, 'orderId', where),
    tenantId: text(of, 'tenantId', where),
    reference: optionalText(of, 'reference', where),
    status: oneOf<Status>(statuses, of['status'], `${where}.status`),
    totalAmount: integer(of, 'totalAmount', where, 0),
    currency: text(of, 'currency', where),
    version: integer(of, 'version', where, 1),
    createdAt: integer(of, 'createdAt', where, 0),
    updatedAt: integer(of, 'updatedAt', where, 0),
  };
}

/** Milliseconds between two checks whether there is something to store. */
const interval = 5000;
/** Milliseconds to wait for the server's list before the stored one is shown. */
const patience = 1500;
/** Done orders are stored for a day. */
const day = 24 * 60 * 60 * 1000;

/** More idle milliseconds than a frame has: the browser draws nothing now. */
const longerThanFrame = 20;
/** Milliseconds after which a page that never stops drawing stores the list all the same. */
const longestWait = 4000;

/**
 * Does work that takes longer than a frame while the page draws nothing: not in a scroll. Returns a function that cancels it. A
 * browser without idle callbacks does it at once.
 */
function whenQuiet(work: () => void): () => void {
  if (typeof requestIdleCallback === 'undefined') {
    work();
    return () => {};
  }
  const latest = Date.now() + longestWait;
  let handle = requestIdleCallback(look);
  return () => cancelIdleCallback(handle);

  function look(idle: IdleDeadline): void {
    if (idle.timeRemaining() > longerThanFrame || Date.now() >= latest) work();
    else handle = requestIdleCallback(look);
  }
}

export interface KeepingOptions {
  readonly keeper: ListKeeper;
  readonly store: OrderStore;
  readonly freshness: FreshnessStore;
  readonly loading: Observable<Loading>;
  readonly network: Observable<boolean>;
}

/** Shows the stored list if the server's does not arrive, and stores the list while it is live. Returns a function that stops it. */
export function keepList({ keeper, store, freshness, loading, network }: KeepingOptions): () => void {
  let isOver = false;
  let seen: readonly Order[] | undefined;
  let worth: readonly Order[] = [];
  const stops = [loading.subscribe(look), network.subscribe(look)];
  const timer = setTimeout(show, patience);
  let cancel = () => {};
  const again = setInterval(() => {
    cancel();
    cancel = whenQuiet(save);
  }, interval);
  look();

  return () => {
    isOver = true;
    clearTimeout(timer);
    clearInterval(again);
    cancel();
    for (const stop of stops) stop();
  };

  function look(): void {
    const { kind } = loading.getSnapshot();
    if (kind === 'loaded') isOver = true;
    else if (kind === 'failed' || !network.getSnapshot()) show();
  }

  function show(): void {
    if (isOver) return;
    isOver = true;
    const kept = keeper.load();
    if (kept === undefined) return;
    store.apply(...kept.orders);
    freshness.restored(kept.at);
  }

  function save(): void {
    if (freshness.getSnapshot().kind !== 'live') return;
    const { orders } = store.getSnapshot();
    const at = Date.now();
    if (orders !== seen) {
      seen = orders;
      const open = orders.filter((order) => !isDone(order.status));
      worth = [...open, ...orders.filter((order) => isDone(order.status) && at - order.updatedAt < day)];
    }
    keeper.save({ at, orders: worth });
  }
}
