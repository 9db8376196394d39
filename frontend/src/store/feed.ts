/**
 * Keeps a store equal to the server's orders. It loads the list from order-api even without the stream; the stream adds live
 * changes. The snapshot is loaded after the stream's `ready`, so that no change is missed between the two. Both are applied by
 * version. After a gap (a `resync`, a connection that did not resume, an invalid frame) the snapshot is loaded again. While
 * the list is not live, it is loaded again at intervals.
 */
import type { Frame, Notification } from '../model/frame';
import type { History } from '../model/history';
import type { Order, Status } from '../model/order';
import type { Summary } from '../model/summary';
import { type Ask, authorized, type Credentials } from '../services/authorized';
import { inboxClient } from '../services/inbox';
import { type NewOrder, newIdempotencyKey, ordersClient, snapshotAddress } from '../services/orders';
import { preferencesClient } from '../services/preferences';
import { type Fetch, Problem } from '../services/problem';
import { openReceipts } from '../services/receipts';
import { openSharedStream, type Sharing } from '../services/sharedStream';
import { openSigns } from '../services/signs';
import type { ConnectionState } from '../services/sse';
import { tenantClient } from '../services/tenant';
import { type ArchiveStore, archiveStore } from './archive';
import { type Freshness, freshness } from './freshness';
import { type InboxStore, inboxStore } from './inbox';
import { keepList, type ListKeeper } from './keptList';
import { alwaysOnline } from './network';
import type { Observable } from './observable';
import { type OrderStore, orderStore } from './orderStore';
import { type PreferencesStore, preferencesStore } from './preferences';
import { type Loading, snapshotLoader } from './snapshot';
import { type TenantStore, tenantStore } from './tenant';
import { type Undoables, undoStore } from './undo';

export interface Feed {
  readonly store: OrderStore;
  readonly inbox: InboxStore;
  readonly preferences: PreferencesStore;
  /** Calls the APIs as the user, for pages that few open. */
  readonly ask: Ask;
  readonly tenant: TenantStore;
  readonly connection: Observable<ConnectionState>;
  readonly freshness: Observable<Freshness>;
  readonly loading: Observable<Loading>;
  readonly archive: ArchiveStore;
  /** The user's own changes that can still be undone. */
  readonly undoable: Observable<Undoables>;
  /** Calls back for each new notification, once per notification id. Returns the function that stops it. */
  onNotification(listener: (notification: Notification) => void): () => void;
  create(order: NewOrder, idempotencyKey: string): Promise<Order>;
  /** Moves an order to a state; `paid` means taking its payment. */
  advance(orderId: string, status: Status): Promise<Order>;
  /** Takes back the latest change of an order, while order-api allows it. */
  undo(order: Order): Promise<Order>;
  /** Asks order-api for one order, such as an old one that is not in the list. */
  fetchOrder(orderId: string): Promise<Order>;
  /** Asks order-api for orders of any age by reference or id; they are in the store then. */
  find(text: string, signal: AbortSignal): Promise<readonly Order[]>;
  /** Who changed an order, and who was told. */
  history(orderId: string): Promise<History>;
  /** A day of the business and the day before; "" is today. */
  summary(date: string): Promise<Summary>;
  retryNow(): void;
  close(): void;
}

export interface FeedOptions {
  readonly fetch: Fetch;
  readonly credentials: Credentials;
  /** The page's origin: a snapshot anywhere else would be sent the token. */
  readonly origin: string;
  readonly network?: Observable<boolean>;
  /** How the user's tabs share one stream; without it, this one has its own. */
  readonly sharing?: Sharing | undefined;
  /** Where the last list is kept, for when the server is out of reach. */
  readonly kept?: ListKeeper | undefined;
  readonly random?: () => number;
  /** The user or device whose changes cause no alerts here; "" if unknown. */
  readonly userId?: string;
  /** Called when a paired device's heartbeat was refused. */
  readonly onRevoked?: (() => void) | undefined;
}

/** The list is loaded after the stream's `ready`, or after this time without it, so that one load is enough if the gateway works. */
const headStart = 500;
/** Milliseconds between two loads of the list while it is not live. */
const rereading = 10_000;

export function openFeed(options: FeedOptions): Feed {
  const { credentials, network = alwaysOnline, random = Math.random } = options;
  const store = orderStore();
  const ask = authorized(options.fetch, credentials);
  const client = ordersClient(ask);
  const inbox = inboxStore(inboxClient(ask));
  const preferences = preferencesStore(preferencesClient(ask));
  const tenant = tenantStore(tenantClient(ask));
  /** The changes that were made here, and those that are under way. */
  const own = new Set<string>();
  const acting = new Map<string, Promise<Order>>();
  const undoable = undoStore();
  const receipts = openReceipts(ask);
  const signs = options.onRevoked && openSigns(ask, options.onRevoked);
  const listeners = new Set<(notification: Notification) => void>();
  const snapshots = snapshotLoader({ client, store, random, onLoaded: () => fresh.incomplete(false) });
  const archive = archiveStore(client, store);
  const stream = openSharedStream(
    { ...options, onFrame: receive, onBadFrame: () => loadAll(snapshotAddress) },
    options.sharing,
  );
  const fresh = freshness({ network, connection: stream, onChange: store.onChange });
  const stopKeeping =
    options.kept && keepList({ keeper: options.kept, store, freshness: fresh, loading: snapshots, network });
  const first = setTimeout(() => {
    if (snapshots.getSnapshot().kind !== 'waiting') return;
    snapshots.load(snapshotAddress);
    inbox.load();
  }, headStart);
  const again = setInterval(() => {
    if (fresh.getSnapshot().kind === 'live' || !network.getSnapshot()) return;
    snapshots.load(snapshotAddress);
    archive.reload();
  }, rereading);
  const stopNetwork = network.subscribe(() => {
    if (!network.getSnapshot()) return;
    stream.reopen(); // the old connection may be half-open
    retryNow();
  });
  tenant.load();

  return {
    store,
    inbox,
    preferences,
    ask,
    tenant,
    connection: stream,
    freshness: fresh,
    loading: snapshots,
    archive,
    undoable,
    onNotification(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async create(order, idempotencyKey) {
      return done(await client.create(order, idempotencyKey));
    },
    async advance(orderId, status) {
      const key = newIdempotencyKey();
      const before = store.get(orderId);
      const work = (
        status === 'paid' ? client.pay(orderId, key) : client.changeStatus(orderId, status, key)
      ).then((order) => done(order, before));
      acting.set(orderId, work);
      try {
        return await work;
      } catch (err) {
        // Another user was faster: show the order's current state, even while the stream is cut.
        if (err instanceof Problem && err.status === 409) await refresh(orderId);
        throw err;
      } finally {
        if (acting.get(orderId) === work) acting.delete(orderId);
      }
    },
    undo: async (order) => done(await client.undo(order, newIdempotencyKey())),
    fetchOrder: async (orderId) => applied(await client.get(orderId)),
    history: client.history,
    summary: client.summary,
    async find(text, signal) {
      const found = await client.find(text, signal);
      store.apply(...found);
      return found;
    },
    retryNow,
    close() {
      clearTimeout(first);
      clearInterval(again);
      stopKeeping?.();
      stopNetwork();
      fresh.close();
      stream.close();
      receipts.close();
      signs?.close();
      inbox.close();
      snapshots.close();
      archive.close();
      undoable.close();
    },
  };

  function retryNow(): void {
    stream.retryNow();
    snapshots.retryNow();
    if (inbox.getSnapshot().problem !== '') inbox.load();
    if (tenant.getSnapshot().kind === 'failed') tenant.load();
  }

  /** Loads the changes that the stream has missed. Until then the list is incomplete. */
  function loadAll(address: string): void {
    fresh.incomplete(true);
    snapshots.load(address);
    archive.reload();
    inbox.load();
  }

  function opened(ready: Extract<Frame, { kind: 'ready' }>): void {
    if (!ready.resumed) loadAll(snapshotAddress);
    if (ready.live) fresh.degraded(undefined);
    if (tenant.getSnapshot().kind === 'failed') tenant.load();
    snapshots.retryNow(); // an earlier load may have failed because of the network, which is back
  }

  function receive(frame: Frame, id: string): void {
    switch (frame.kind) {
      case 'ready':
        receipts.opened();
        opened(frame);
        return;
      case 'degraded':
        fresh.degraded(frame.since);
        return;
      case 'live':
        fresh.degraded(undefined);
        return;
      case 'order':
        store.apply(frame.order);
        if (frame.trace !== undefined) receipts.came(id, frame.trace);
        return;
      case 'order_committed':
        store.apply(frame.order);
        return;
      case 'notification':
        store.apply(frame.notification.order);
        announce(frame.notification);
        return;
      case 'notification_read':
        inbox.hear(frame.reading);
        return;
      case 'resync':
        loadAll(sameOrigin(frame.snapshot));
        return;
      case 'token_expiring':
        void credentials.renew().then((ok) => {
          if (ok) stream.reopen(true);
        });
        return;
      case 'overloaded':
      case 'unknown':
        return;
    }
  }

  /** Alerts, unless the user made the change here. */
  function announce(notification: Notification): void {
    if (!inbox.notify(notification)) return;
    // The event may arrive before the answer that has the version of the change made here.
    const underWay = acting.get(notification.order.orderId);
    if (underWay === undefined) tellUnlessOwn(notification);
    else void underWay.finally(() => tellUnlessOwn(notification)).catch(() => undefined);
  }

  function tellUnlessOwn(notification: Notification): void {
    const { order } = notification;
    // Changes that the user made in another tab or on another device need no alert. Not every publisher names the user.
    if (order.actor !== undefined && order.actor.userId === options.userId) return;
    if (own.has(changeOf(order))) return;
    for (const tell of listeners) tell(notification);
  }

  function sameOrigin(address: string): string {
    if (address === '') return snapshotAddress;
    const url = new URL(address, options.origin);
    if (url.origin !== options.origin) return snapshotAddress;
    // The gateway names the list; this page needs the current part of it.
    return url.search === '' && snapshotAddress.startsWith(`${url.pathname}?`)
      ? snapshotAddress
      : url.pathname + url.search;
  }

  function applied(order: Order): Order {
    store.apply(order);
    return order;
  }

  /** `before` is the order before this change, if the change can be undone in a list. */
  function done(order: Order, before?: Order): Order {
    own.add(changeOf(order));
    undoable.made(before, order);
    return applied(order);
  }

  async function refresh(orderId: string): Promise<void> {
    try {
      applied(await client.get(orderId));
    } catch {
      // The user sees the first error; the stream will bring the order's state.
    }
  }
}

function changeOf(order: Order): string {
  return `${order.orderId} ${String(order.version)}`;
}
