import { memo, useId, useLayoutEffect, useRef } from 'react';
import { formatMoney } from '../model/money';
import { type Order, orderName, type Role, type Status } from '../model/order';
import { relativeTime } from '../model/time';
import { OrderActions } from './OrderActions';

export interface OrderCardProps {
  readonly order: Order;
  readonly roles: readonly Role[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly advance: (orderId: string, status: Status) => Promise<Order>;
}

/** One order. Drawn again only when it, or its age in words, changes. */
export const OrderCard = memo(Card, (before, after) => {
  return (
    before.order === after.order &&
    before.roles === after.roles &&
    before.advance === after.advance &&
    relativeTime(before.order.updatedAt, before.now) === relativeTime(after.order.updatedAt, after.now)
  );
});

function Card({ order, roles, now, advance }: OrderCardProps) {
  const id = useId();
  const firstVersion = useRef(order.version);
  const name = orderName(order);
  const card = useRef<HTMLElement>(null);

  // A card that leaves the list with the focus inside hands it to the list; the browser would drop it.
  useLayoutEffect(() => {
    const article = card.current;
    return () => {
      if (article?.contains(document.activeElement) !== true) return;
      article.closest<HTMLElement>('#orders')?.focus({ preventScroll: true });
    };
  }, []);

  return (
    <li>
      <article
        ref={card}
        className="order"
        tabIndex={-1}
        aria-labelledby={`${id}-name`}
        data-testid="order"
        data-order-id={order.orderId}
        data-status={order.status}
        data-version={order.version}
        // Odd and even versions flash by animations of different names: a change starts one anew.
        data-flash={order.version === firstVersion.current ? undefined : order.version % 2}
      >
        <div className="order-head">
          <h3 id={`${id}-name`} className="order-name" data-long={name.length > 24}>
            {name}
          </h3>
          <span className={`status status-${order.status}`}>{order.status}</span>
        </div>
        <p className="order-facts">
          <span className="order-amount">{formatMoney(order.totalAmount, order.currency)}</span>{' '}
          <time
            className="faint"
            dateTime={new Date(order.updatedAt).toISOString()}
            title={new Date(order.updatedAt).toLocaleString()}
          >
            {relativeTime(order.updatedAt, now)}
          </time>
        </p>
        <OrderActions order={order} name={name} roles={roles} advance={advance} />
      </article>
    </li>
  );
}
