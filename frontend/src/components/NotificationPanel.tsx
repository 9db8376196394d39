import type { ToggleEvent } from 'react';
import { useStore } from '../hooks/useStore';
import { relativeTime } from '../model/time';
import type { Observable } from '../store/observable';
import type { OrderStore } from '../store/orderStore';
import { BellIcon } from './Icons';
import { notificationText } from './notificationText';

export interface NotificationPanelProps {
  readonly store: OrderStore;
  readonly clock: Observable<number>;
}

/** The bell with the count of unread notifications, and behind it the list. Closing the list reads it. */
export function NotificationPanel({ store, clock }: NotificationPanelProps) {
  const { notices, unread } = useStore(store);
  const now = useStore(clock);

  function toggled(event: ToggleEvent<HTMLElement>): void {
    if (event.newState === 'closed') store.markAllRead();
  }

  return (
    <>
      <button type="button" className="round-button" popoverTarget="notifications" aria-haspopup="true">
        <BellIcon />
        <span className="hidden">Notifications{unread > 0 ? `, ${String(unread)} unread` : ''}</span>
        {unread > 0 && (
          <span className="count" aria-hidden="true" data-testid="unread">
            {unread > 99 ? '99+' : unread}
          </span>
        )}
      </button>
      <section
        id="notifications"
        className="panel"
        popover="auto"
        aria-label="Notifications"
        onToggle={toggled}
      >
        <h2 className="panel-title">Notifications</h2>
        {notices.length === 0 ? (
          <p className="faint">Nothing yet. Paid orders ring here.</p>
        ) : (
          <ul className="notices">
            {notices.map((notice) => (
              <li
                key={notice.notificationId}
                className={notice.read ? 'notice-row' : 'notice-row notice-row-unread'}
                data-testid="notification"
              >
                {!notice.read && <span className="hidden">Unread: </span>}
                {notificationText(notice)}
                <time className="faint" dateTime={new Date(notice.order.updatedAt).toISOString()}>
                  {relativeTime(notice.order.updatedAt, now)}
                </time>
              </li>
            ))}
          </ul>
        )}
      </section>
    </>
  );
}
