import type { ToggleEvent } from 'react';
import { useStore } from '../hooks/useStore';
import { relativeTime } from '../model/time';
import type { InboxStore } from '../store/inbox';
import type { Observable } from '../store/observable';
import { BellIcon } from './Icons';
import { notificationText } from './notificationText';

export interface NotificationPanelProps {
  readonly inbox: InboxStore;
  readonly clock: Observable<number>;
}

/** The bell with the count of unread notifications, and behind it the list. Closing the list reads it. */
export function NotificationPanel({ inbox, clock }: NotificationPanelProps) {
  const { notices, unread, more, problem } = useStore(inbox);
  const now = useStore(clock);

  function toggled(event: ToggleEvent<HTMLElement>): void {
    if (event.newState === 'closed') inbox.readAll();
    else if (problem !== '') inbox.load();
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
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and has nothing in it to focus
        tabIndex={0}
        onToggle={toggled}
      >
        <h2 className="panel-title">Notifications</h2>
        {problem !== '' && (
          <p className="field-problem" role="alert">
            {problem}
          </p>
        )}
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
        {more && (
          <button type="button" className="button button-quiet button-wide" onClick={inbox.loadMore}>
            Show older ones
          </button>
        )}
      </section>
    </>
  );
}
