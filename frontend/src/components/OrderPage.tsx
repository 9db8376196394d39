import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { formatMoney } from '../model/money';
import { orderName, type Role } from '../model/order';
import { clockTime, relativeTime } from '../model/time';
import { routes } from '../paths';
import { messageOf } from '../services/problem';
import type { Feed } from '../store/feed';
import type { Observable } from '../store/observable';
import { beforeUndoable } from '../store/undo';
import { Name } from './Name';
import { OrderActions } from './OrderActions';
import { OrderHistory } from './OrderHistory';
import { Say } from './Say';
import { statusText } from './texts';

export interface OrderPageProps {
  readonly id: string;
  readonly feed: Feed;
  readonly roles: readonly Role[];
  readonly clock: Observable<number>;
  readonly tenantName: string;
}

/** The page of one order, to which notifications and mails link. */
export function OrderPage({ id, feed, roles, clock, tenantName }: OrderPageProps) {
  const { orders } = useStore(feed.store);
  const undoable = useStore(feed.undoable);
  const now = useStore(clock);
  const [problem, setProblem] = useState('');
  const order = orders.find((one) => one.orderId === id);

  useEffect(() => {
    feed.fetchOrder(id).catch((err: unknown) => setProblem(messageOf(err)));
  }, [feed, id]);

  return (
    <main id="order" className="page order-page">
      <p>
        <Link href={routes.orders} className="back">
          {t('back')}
        </Link>
      </p>
      {order === undefined && problem === '' && <p role="status">{t('loading')}</p>}
      {order === undefined && problem !== '' && (
        <p className="note" role="alert">
          {problem}
        </p>
      )}
      {order !== undefined && (
        <article className="order" aria-labelledby="order-name" data-status={order.status} tabIndex={-1}>
          <div className="order-head">
            <h2 id="order-name" className="order-name">
              <Name of={orderName(order)} />
            </h2>
            <span className={`status status-${order.status}`}>{statusText(order.status)}</span>
          </div>
          <dl className="facts">
            <dt>{t('order.amount')}</dt>
            <dd className="order-amount">{formatMoney(order.totalAmount, order.currency)}</dd>
            <dt>{t('order.created')}</dt>
            <dd>
              {clockTime(order.createdAt, now)}{' '}
              <span className="faint">({relativeTime(order.createdAt, now)})</span>
            </dd>
            <dt>{t('order.changed')}</dt>
            <dd>
              {clockTime(order.updatedAt, now)}{' '}
              <span className="faint">({relativeTime(order.updatedAt, now)})</span>
            </dd>
            <dt>{t('order.id')}</dt>
            <dd className="id">{order.orderId}</dd>
          </dl>
          <p className="printed">
            <Say id="order.printed" business={<Name of={tenantName} />} time={clockTime(now, now)} />
          </p>
          <button type="button" className="button button-quiet print" onClick={() => window.print()}>
            {t('order.print')}
          </button>
          <OrderActions
            {...{ order, roles }}
            name={orderName(order)}
            advance={feed.advance}
            canUndo={beforeUndoable(undoable, order) !== undefined}
            undo={feed.undo}
          />
        </article>
      )}
      {order !== undefined && <OrderHistory {...{ id, feed, now }} version={order.version} />}
    </main>
  );
}
