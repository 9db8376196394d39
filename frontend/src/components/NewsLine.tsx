import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { t } from '../i18n/words';
import type { Notification } from '../model/frame';
import { formatMoney } from '../model/money';
import { orderName } from '../model/order';
import { routes } from '../paths';
import type { Feed } from '../store/feed';
import { FreshnessLine } from './ConnectionBadge';
import { Name } from './Name';
import { Say } from './Say';
import { notificationKey } from './texts';

/** Long enough to read twice; the bell lists missed notifications. */
const shownFor = 8000;

/**
 * The line below the top bar. It has a place of its own, so that news cover no control and move nothing: the newest
 * notification for some seconds, otherwise whether the list is current.
 */
export function NewsLine({ feed }: { readonly feed: Feed }) {
  const [toasts, setToasts] = useState<readonly Notification[]>([]);
  const newest = toasts.at(-1);

  useEffect(
    () => feed.onNotification((notification) => setToasts((shown) => [...shown, notification])),
    [feed],
  );

  useEffect(() => {
    if (newest === undefined) return;
    const timer = setTimeout(() => setToasts([]), shownFor);
    return () => clearTimeout(timer);
  }, [newest]);

  return (
    <div className="news-line">
      <div className="news-toast" role="log" aria-live="polite" aria-label={t('toasts.label')}>
        {newest !== undefined && (
          <p key={newest.notificationId} className="toast" data-testid="toast">
            <Link
              href={routes.order(newest.order.orderId)}
              onClick={() => {
                feed.inbox.read([newest.notificationId]);
                setToasts([]);
              }}
            >
              <Say
                id={notificationKey(newest)}
                name={<Name of={orderName(newest.order)} />}
                amount={formatMoney(newest.order.totalAmount, newest.order.currency)}
              />
            </Link>
            {toasts.length > 1 && (
              <span className="faint">{t('toasts.more', { count: toasts.length - 1 })}</span>
            )}
          </p>
        )}
      </div>
      {newest !== undefined ? (
        <button
          type="button"
          className="button button-quiet button-line settle"
          onClick={() => setToasts([])}
        >
          {t('close')}
        </button>
      ) : (
        <div className="news-state" role="status">
          <FreshnessLine freshness={feed.freshness} onRetry={feed.retryNow} />
        </div>
      )}
    </div>
  );
}
