import { memo, type RefObject, type ToggleEvent, useCallback, useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import type { InboxNotification } from '../model/inbox';
import { formatMoney } from '../model/money';
import { orderName } from '../model/order';
import { relativeTime } from '../model/time';
import { routes } from '../paths';
import type { InboxStore } from '../store/inbox';
import type { Observable } from '../store/observable';
import { BellIcon } from './Icons';
import { Name } from './Name';
import { Say } from './Say';
import { notificationKey } from './texts';

export interface NotificationPanelProps {
  readonly inbox: InboxStore;
  readonly clock: Observable<number>;
}

/** The bell with the number of unread notifications, and their list. Those that were in view are marked as read on closing. */
export function NotificationPanel({ inbox, clock }: NotificationPanelProps) {
  const { notifications, unread, more, problem } = useStore(inbox);
  const now = useStore(clock);
  const [isOpen, setOpen] = useState(false);
  const [unreadOnly, setUnreadOnly] = useState(false);
  const panel = useRef<HTMLElement>(null);
  const seen = useSeenRows(panel, isOpen, notifications.length);
  const shown = unreadOnly ? notifications.filter((notification) => !notification.read) : notifications;
  const opened = useCallback(
    (id: string) => {
      inbox.read([id]);
      panel.current?.hidePopover();
    },
    [inbox],
  );

  function toggled(event: ToggleEvent<HTMLElement>): void {
    setOpen(event.newState === 'open');
    if (event.newState === 'open') {
      if (problem !== '') inbox.load();
      return;
    }
    inbox.read([...seen.current]);
    seen.current.clear();
  }

  return (
    <>
      <button
        type="button"
        className="round-button"
        popoverTarget="notifications"
        aria-haspopup="true"
        data-shortcut="bell"
      >
        <BellIcon />
        <span className="hidden">
          {unread > 0 ? t('inbox.buttonUnread', { count: unread }) : t('inbox.title')}
        </span>
        {unread > 0 && (
          <span className="count" aria-hidden="true" data-testid="unread">
            {unread > 99 ? '99+' : unread}
          </span>
        )}
      </button>
      <section
        id="notifications"
        ref={panel}
        className="panel"
        popover="auto"
        aria-label={t('inbox.title')}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
        tabIndex={0}
        onToggle={toggled}
      >
        <div className="panel-line">
          <h2 className="panel-title">{t('inbox.title')}</h2>
          <label className="choice">
            <input
              type="checkbox"
              checked={unreadOnly}
              onChange={(event) => setUnreadOnly(event.target.checked)}
            />
            {t('inbox.unreadOnly')}
          </label>
        </div>
        {unread > 0 && (
          <button type="button" className="button button-quiet" onClick={inbox.readAll}>
            {t('inbox.readAll', { count: unread })}
          </button>
        )}
        {problem !== '' && (
          <p className="field-problem" role="alert">
            {problem}
          </p>
        )}
        {shown.length === 0 ? (
          <p className="faint">{unreadOnly ? t('inbox.allRead') : t('inbox.empty')}</p>
        ) : (
          <ul className="notifications">
            {shown.map((notification) => (
              <NotificationRow
                key={notification.notificationId}
                notification={notification}
                age={relativeTime(notification.order.updatedAt, now)}
                onOpen={opened}
              />
            ))}
          </ul>
        )}
        {more && isOpen && <LoadOnSight count={notifications.length} onSight={inbox.loadMore} />}
      </section>
    </>
  );
}

interface NotificationRowProps {
  readonly notification: InboxNotification;
  /** How long ago it was, as a text. */
  readonly age: string;
  readonly onOpen: (notificationId: string) => void;
}

/** One notification. Only those that changed render again when another arrives. */
const NotificationRow = memo(Row);

function Row({ notification, age, onOpen }: NotificationRowProps) {
  const { order, read, notificationId } = notification;
  return (
    <li
      className={read ? 'notification-row' : 'notification-row notification-row-unread'}
      data-testid="notification"
      data-notification-id={notificationId}
    >
      <Link href={routes.order(order.orderId)} onClick={() => onOpen(notificationId)}>
        <span>
          {!read && <span className="hidden">{t('inbox.unread')} </span>}
          <Say
            id={notificationKey(notification)}
            name={<Name of={orderName(order)} />}
            amount={formatMoney(order.totalAmount, order.currency)}
          />
        </span>
        <time className="faint" dateTime={new Date(order.updatedAt).toISOString()}>
          {age}
        </time>
      </Link>
    </li>
  );
}

/** The rows that were in view for half a second while the panel was open. */
function useSeenRows(
  panel: RefObject<HTMLElement | null>,
  isOpen: boolean,
  count: number,
): RefObject<Set<string>> {
  const seen = useRef(new Set<string>());
  // biome-ignore lint/correctness/useExhaustiveDependencies: with `count` the rows change
  useEffect(() => {
    const root = panel.current;
    if (!isOpen || root === null || typeof IntersectionObserver === 'undefined') return;
    const timers = new Map<Element, ReturnType<typeof setTimeout>>();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          clearTimeout(timers.get(target));
          const id = target instanceof HTMLElement ? target.dataset['notificationId'] : undefined;
          if (isIntersecting && id !== undefined)
            timers.set(
              target,
              setTimeout(() => seen.current.add(id), inViewFor),
            );
        }
      },
      { root, threshold: 0.6 },
    );
    for (const row of root.querySelectorAll('[data-notification-id]')) observer.observe(row);
    return () => {
      observer.disconnect();
      for (const timer of timers.values()) clearTimeout(timer);
    };
  }, [panel, isOpen, count]);
  return seen;
}

const inViewFor = 500;

/** The end of the loaded list: when it comes into view, the next page is loaded. `count` changes with each page. */
function LoadOnSight({ count, onSight }: { readonly count: number; readonly onSight: () => void }) {
  const end = useRef<HTMLParagraphElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new count means a new end
  useEffect(() => {
    if (end.current === null || typeof IntersectionObserver === 'undefined') return;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) onSight();
    });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [count, onSight]);
  return (
    <p ref={end} className="faint">
      {t('loading')}
    </p>
  );
}
