/**
 * A user's inbox: the server's notifications, and those that arrive on the stream. The server's count is authoritative. After a
 * gap in the stream, the newest page is loaded again.
 */
import type { Notification, Reading } from '../model/frame';
import type { InboxNotification } from '../model/inbox';
import type { InboxClient } from '../services/inbox';
import { messageOf } from '../services/problem';
import { announcer, type Observable } from './observable';

export interface Inbox {
  /** Newest first. */
  readonly notifications: readonly InboxNotification[];
  /** Of all notifications, including those that are not loaded. */
  readonly unread: number;
  /** Whether there are older ones to load. */
  readonly more: boolean;
  /** Why it could not be loaded or read; "" if all is well. */
  readonly problem: string;
}

export interface InboxStore extends Observable<Inbox> {
  /** Loads the newest page, and once more if it is called during a load. */
  load(): void;
  loadMore(): void;
  /** Adds a notification from the stream. Returns whether to alert: once per id, and not if it was read before. */
  notify(notification: Notification): boolean;
  /** Applies what the user has read, here or elsewhere. */
  hear(reading: Reading): void;
  /** These were seen or tapped; the rest stays unread. */
  read(notificationIds: readonly string[]): void;
  readAll(): void;
  close(): void;
}

type Loading = 'no' | 'once' | 'again';

/** How many the server marks as read in one request. */
const mostRead = 100;
/** Ids are kept longer than their notifications, so that a late replay does not alert again. */
const mostIds = 10_000;

export function inboxStore(client: InboxClient): InboxStore {
  const { subscribe, announce } = announcer();
  const rung = new Set<string>();
  const ended = new AbortController();
  let state: Inbox = { notifications: [], unread: 0, more: false, problem: '' };
  let cursor = '';
  let loading: Loading = 'no';
  /** The notifications that arrived on the stream during a load: the page may not have them. */
  let meanwhile = new Set<string>();

  return {
    subscribe,
    getSnapshot: () => state,
    load() {
      if (loading === 'no') void loadNewest();
      else loading = 'again';
    },
    loadMore() {
      if (cursor !== '') void attempt(async () => loaded(await client.page(cursor, ended.signal), 'older'));
    },
    notify(notification) {
      const { notificationId } = notification;
      const known = state.notifications.find((n) => n.notificationId === notificationId);
      if (known?.read === true || rung.has(notificationId)) return false;
      remember(notificationId);
      if (known === undefined) {
        meanwhile.add(notificationId);
        become({
          notifications: inOrder([{ ...notification, read: false }, ...state.notifications]),
          unread: state.unread + 1,
        });
      }
      return true;
    },
    hear,
    read(notificationIds) {
      const ids = new Set(
        state.notifications
          .filter((n) => !n.read && notificationIds.includes(n.notificationId))
          .map((n) => n.notificationId),
      );
      if (ids.size === 0) return;
      const notifications = state.notifications.map((n) => (ids.has(n.notificationId) ? asRead(n) : n));
      become({ notifications, unread: Math.max(0, state.unread - ids.size) });
      void attempt(async () => {
        const all = [...ids];
        for (let i = 0; i < all.length; i += mostRead) {
          const some = all.slice(i, i + mostRead);
          hear({ ...(await client.read(some)), notificationIds: some });
        }
      }).then((ok) => {
        if (!ok) void loadNewest();
      });
    },
    readAll() {
      if (state.unread === 0) return;
      become({ notifications: state.notifications.map(asRead), unread: 0 });
      void attempt(async () => hear(await client.readAll())).then((ok) => {
        if (!ok) void loadNewest();
      });
    },
    close: () => ended.abort(),
  };

  function hear({ notificationIds, all, unread }: Reading): void {
    const notifications = state.notifications.map((n) =>
      all || notificationIds.includes(n.notificationId) ? asRead(n) : n,
    );
    become({ notifications, unread });
    const counted = notifications.filter((n) => !n.read).length;
    // The loaded unread notifications do not fit the server's count, so load again.
    if (loading !== 'no') loading = 'again';
    else if (counted > unread || (counted < unread && !state.more)) void loadNewest();
  }

  async function loadNewest(): Promise<void> {
    loading = 'once';
    meanwhile = new Set();
    const ok = await attempt(async () => loaded(await client.page('', ended.signal), 'newest'));
    const again = ok && (loading as Loading) === 'again';
    loading = 'no';
    if (again) await loadNewest();
  }

  function loaded(page: Awaited<ReturnType<InboxClient['page']>>, which: 'newest' | 'older'): void {
    const ids = new Set(page.notifications.map((n) => n.notificationId));
    const others = state.notifications.filter((n) => !ids.has(n.notificationId));
    const early = which === 'newest' ? [...meanwhile].filter((id) => !ids.has(id)).length : 0;
    if (which === 'older' || cursor === '') cursor = page.nextCursor;
    become({
      notifications: inOrder([...page.notifications, ...others]),
      unread: page.unread + early,
      more: cursor !== '',
      problem: '',
    });
  }

  async function attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (err) {
      if (!ended.signal.aborted) become({ problem: messageOf(err) });
      return false;
    }
  }

  function become(change: Partial<Inbox>): void {
    state = { ...state, ...change };
    announce();
  }

  function remember(id: string): void {
    rung.add(id);
    if (rung.size <= mostIds) return;
    for (const oldest of rung) {
      rung.delete(oldest);
      return;
    }
  }
}

function asRead(notification: InboxNotification): InboxNotification {
  return notification.read ? notification : { ...notification, read: true };
}

/** An event's id begins with its time (UUIDv7), so the newest has the highest. */
function inOrder(notifications: readonly InboxNotification[]): InboxNotification[] {
  return [...notifications].sort((a, b) => (a.eventId === b.eventId ? 0 : a.eventId < b.eventId ? 1 : -1));
}
