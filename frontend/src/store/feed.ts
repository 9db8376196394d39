/**
 * Keeps a store the same as the server's orders: the stream is opened first, then the snapshot's pages are loaded, and
 * both are applied by version, so there is no hole between the two. Whatever the stream cannot bridge (a `resync`, a
 * connection that did not resume, a frame that could not be read) asks for the snapshot again.
 */
import type { Frame, Notification } from '../model/frame';
import type { Order, Status } from '../model/order';
import { authorized, type Credentials } from '../services/authorized';
import { inboxClient } from '../services/inbox';
import { type NewOrder, ordersClient, snapshotAddress } from '../services/orders';
import { preferencesClient } from '../services/preferences';
import { type Fetch, Problem } from '../services/problem';
import { type ConnectionState, openStream, type Stream } from '../services/sse';
import { type InboxStore, inboxStore } from './inbox';
import type { Observable } from './observable';
import { type OrderStore, orderStore } from './orderStore';
import { type PreferencesStore, preferencesStore } from './preferences';
import { type Loading, snapshotLoader } from './snapshot';

export interface Feed {
  readonly store: OrderStore;
  readonly inbox: InboxStore;
  readonly preferences: PreferencesStore;
  readonly connection: Observable<ConnectionState>;
  readonly loading: Observable<Loading>;
  /** Calls back for each new notification, once per notification id. Returns the function that stops it. */
  onNotification(listener: (notification: Notification) => void): () => void;
  create(order: NewOrder, idempotencyKey: string): Promise<Order>;
  /** Moves an order to a state; `paid` means taking its payment. */
  advance(orderId: string, status: Status): Promise<Order>;
  retryNow(): void;
  close(): void;
}

export interface FeedOptions {
  readonly fetch: Fetch;
  readonly credentials: Credentials;
  /** The page's origin: a snapshot anywhere else would be sent the token. */
  readonly origin: string;
  readonly random?: () => number;
}

export function openFeed(options: FeedOptions): Feed {
  const { credentials, random = Math.random } = options;
  const store = orderStore();
  const ask = authorized(options.fetch, credentials);
  const client = ordersClient(ask);
  const inbox = inboxStore(inboxClient(ask));
  const preferences = preferencesStore(preferencesClient(ask));
  const listeners = new Set<(notification: Notification) => void>();
  const snapshots = snapshotLoader({ client, store, random });
  const stream: Stream = openStream({
    ...options,
    onFrame: receive,
    onBadFrame() {
      snapshots.load(snapshotAddress);
      inbox.load();
    },
  });

  return {
    store,
    inbox,
    preferences,
    connection: stream,
    loading: snapshots,
    onNotification(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async create(order, idempotencyKey) {
      return applied(await client.create(order, idempotencyKey));
    },
    async advance(orderId, status) {
      try {
        return applied(
          await (status === 'paid' ? client.pay(orderId) : client.changeStatus(orderId, status)),
        );
      } catch (err) {
        // Somebody else was faster: show what the order is now, also while the stream is cut.
        if (err instanceof Problem && err.status === 409) await refresh(orderId);
        throw err;
      }
    },
    retryNow() {
      stream.retryNow();
      snapshots.retryNow();
      if (inbox.getSnapshot().problem !== '') inbox.load();
    },
    close() {
      stream.close();
      inbox.close();
      snapshots.close();
    },
  };

  function receive(frame: Frame): void {
    switch (frame.kind) {
      case 'ready':
        if (!frame.resumed) {
          snapshots.load(snapshotAddress);
          inbox.load();
        }
        snapshots.retryNow(); // the network is back, if that is what an earlier load failed of
        return;
      case 'order':
        store.apply(frame.order);
        return;
      case 'notification':
        store.apply(frame.notification.order);
        if (inbox.notify(frame.notification)) for (const tell of listeners) tell(frame.notification);
        return;
      case 'notification_read':
        inbox.hear(frame.reading);
        return;
      case 'resync':
        snapshots.load(sameOrigin(frame.snapshot));
        inbox.load();
        return;
      case 'token_expiring':
        void credentials.renew().then((ok) => {
          if (ok) stream.reopen();
        });
        return;
      case 'overloaded':
      case 'unknown':
        return;
    }
  }

  function sameOrigin(address: string): string {
    if (address === '') return snapshotAddress;
    const url = new URL(address, options.origin);
    return url.origin === options.origin ? url.pathname + url.search : snapshotAddress;
  }

  function applied(order: Order): Order {
    store.apply(order);
    return order;
  }

  async function refresh(orderId: string): Promise<void> {
    try {
      applied(await client.get(orderId));
    } catch {
      // The first error is what the person hears of; the stream will bring the order's state.
    }
  }
}
