import { describe, expect, it, vi } from 'vitest';
import type { Notification } from '../model/frame';
import type { InboxPage } from '../model/inbox';
import type { InboxClient } from '../services/inbox';
import { inboxStore } from './inbox';

function aNotification(n: number): Notification {
  const order = {
    orderId: 'o',
    tenantId: 'demo',
    reference: '',
    status: 'paid' as const,
    totalAmount: 1,
    currency: 'EUR',
    version: 2,
    createdAt: 0,
    updatedAt: 0,
  };
  return { notificationId: `n-${String(n)}`, eventId: `e-${String(n)}`, type: 'order_paid', order };
}

function aPage(unread: number, read: number[], unreadOnes: number[], nextCursor = ''): InboxPage {
  const notifications = [
    ...read.map((n) => ({ ...aNotification(n), read: true })),
    ...unreadOnes.map((n) => ({ ...aNotification(n), read: false })),
  ];
  return { notifications, unread, nextCursor };
}

const allRead = { notificationIds: [], all: true, unread: 0 };

function setup(...pages: (InboxPage | Error)[]) {
  const client = {
    page: vi.fn<InboxClient['page']>(async () => {
      const page = pages.length > 1 ? pages.shift() : pages[0];
      if (page === undefined || page instanceof Error) throw page ?? new Error('no page');
      return page;
    }),
    read: vi.fn<InboxClient['read']>(async (ids) => ({ notificationIds: ids, all: false, unread: 0 })),
    readAll: vi.fn<InboxClient['readAll']>(async () => allRead),
  };
  const inbox = inboxStore(client);
  const shown = () =>
    inbox.getSnapshot().notifications.map((n) => `${n.notificationId}${n.read ? '' : ' unread'}`);
  return { client, inbox, shown };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

describe('the inbox', () => {
  it('loads what the server has, newest first, and older ones when asked', async () => {
    const { inbox, shown, client } = setup(aPage(3, [2], [4, 3], 'older'), aPage(3, [], [1]));
    inbox.load();
    await settle();
    expect(shown()).toEqual(['n-4 unread', 'n-3 unread', 'n-2']);
    expect(inbox.getSnapshot()).toMatchObject({ unread: 3, more: true, problem: '' });
    inbox.loadMore();
    await settle();
    expect(client.page.mock.calls.map(([cursor]) => cursor)).toEqual(['', 'older']);
    expect(shown()).toEqual(['n-4 unread', 'n-3 unread', 'n-2', 'n-1 unread']);
    expect(inbox.getSnapshot()).toMatchObject({ unread: 3, more: false });
  });

  it('rings once for an id, and not for one that was read', async () => {
    const { inbox } = setup(aPage(1, [1], [2]));
    inbox.load();
    await settle();
    expect(inbox.notify(aNotification(1)), 'read before').toBe(false);
    expect(inbox.notify(aNotification(2)), 'loaded, but never rung').toBe(true);
    expect(inbox.getSnapshot().unread).toBe(1);
    expect([inbox.notify(aNotification(3)), inbox.notify(aNotification(3))]).toEqual([true, false]);
    expect(inbox.getSnapshot().unread).toBe(2);
  });

  it('counts what the stream told of while the page was on its way', async () => {
    const { inbox, shown } = setup(aPage(1, [], [1]));
    inbox.load();
    inbox.notify(aNotification(2));
    await settle();
    expect(shown()).toEqual(['n-2 unread', 'n-1 unread']);
    expect(inbox.getSnapshot().unread).toBe(2);
  });

  it('reads all at once, and tells the server only if there is something to read', async () => {
    const { inbox, client, shown } = setup(aPage(0, [1, 2], []));
    inbox.readAll();
    expect(client.readAll).not.toHaveBeenCalled();
    inbox.notify(aNotification(1));
    inbox.notify(aNotification(2));
    inbox.readAll();
    expect(shown()).toEqual(['n-2', 'n-1']);
    await settle();
    expect(client.readAll).toHaveBeenCalledTimes(1);
    expect(client.page).not.toHaveBeenCalled();
  });

  it('shows what is so when reading failed', async () => {
    const { inbox, client, shown } = setup(aPage(1, [], [1]));
    inbox.notify(aNotification(1));
    client.readAll.mockRejectedValueOnce(new Error('the server is away'));
    inbox.readAll();
    expect(shown()).toEqual(['n-1']);
    await settle();
    expect(shown()).toEqual(['n-1 unread']);
    expect(inbox.getSnapshot().unread).toBe(1);
  });

  it('follows what is read elsewhere, one or all', async () => {
    const { inbox, client, shown } = setup(aPage(0, [], []));
    for (const n of [1, 2, 3]) inbox.notify(aNotification(n));
    inbox.hear({ notificationIds: ['n-2'], all: false, unread: 2 });
    expect(shown()).toEqual(['n-3 unread', 'n-2', 'n-1 unread']);
    expect(inbox.getSnapshot().unread).toBe(2);
    inbox.hear(allRead);
    expect(inbox.getSnapshot()).toMatchObject({ unread: 0 });
    await settle();
    expect(client.page).not.toHaveBeenCalled();
  });

  it('asks the server where the counts differ', async () => {
    const { inbox, client, shown } = setup(aPage(1, [1], [2]));
    inbox.notify(aNotification(1));
    inbox.notify(aNotification(2));
    inbox.hear({ notificationIds: [], all: true, unread: 1 }); // the second came while the first was read
    await settle();
    expect(client.page).toHaveBeenCalledTimes(1);
    expect(shown()).toEqual(['n-2 unread', 'n-1']);
  });

  it('says why it could not be loaded, and keeps what it has', async () => {
    const { inbox, shown } = setup(new Error('the server is away'), aPage(1, [], [1]));
    inbox.notify(aNotification(1));
    inbox.load();
    await settle();
    expect(inbox.getSnapshot()).toMatchObject({ problem: 'the server is away', unread: 1 });
    inbox.load();
    await settle();
    expect(inbox.getSnapshot().problem).toBe('');
    expect(shown()).toEqual(['n-1 unread']);
  });
});
