import { memo, useId, useRef } from 'react';
import { useHashPath } from '../hooks/usePlace';
import { type Places, usePlaceKept } from '../hooks/usePlaceKept';
import { formatMoney } from '../model/money';
import { type Lateness, latenessOf, type Order, orderName, type Role, type Status } from '../model/order';
import { dateAndTime, relativeTime } from '../model/time';
import { routes } from '../paths';
import { Name } from './Name';
import { OrderActions } from './OrderActions';
import { statusText } from './texts';
import type { UndoProps } from './UndoButton';

export interface OrderCardProps extends UndoProps {
  readonly roles: readonly Role[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly places: Places;
  readonly isScrolling: () => boolean;
  readonly advance: (orderId: string, status: Status) => Promise<Order>;
}

/** One order. It renders again only when the order, or the text or colour of its age, changes. */
export const OrderCard = memo(Card, isSameCard);

function isSameCard(before: OrderCardProps, after: OrderCardProps): boolean {
  return (
    before.order === after.order &&
    before.roles === after.roles &&
    before.advance === after.advance &&
    before.canUndo === after.canUndo &&
    before.undo === after.undo &&
    (before.now === after.now || ageOf(before) === ageOf(after))
  );
}

/** Open orders age from their creation, others from their last change. */
function ageOf({ order, now }: OrderCardProps): string {
  const lateness = latenessOf(order, now);
  return `${lateness} ${relativeTime(timeOf(order, lateness), now)}`;
}

function timeOf(order: Order, lateness: Lateness): number {
  return lateness === 'done' ? order.updatedAt : order.createdAt;
}

function Card(props: OrderCardProps) {
  const { order, roles, now, places, isScrolling, advance, canUndo, undo } = props;
  const id = useId();
  const firstVersion = useRef(order.version);
  const name = orderName(order);
  const card = useRef<HTMLElement>(null);
  const lateness = latenessOf(order, now);
  const at = timeOf(order, lateness);
  usePlaceKept(card, order.orderId, places);

  return (
    <article
      ref={card}
      className="order"
      tabIndex={-1}
      aria-labelledby={`${id}-name`}
      data-testid="order"
      data-order-id={order.orderId}
      data-status={order.status}
      data-version={order.version}
      data-lateness={lateness}
      // Odd and even versions use animations with different names, so that each change starts one.
      data-flash={order.version === firstVersion.current ? undefined : order.version % 2}
    >
      <div className="order-head">
        <h3 id={`${id}-name`} className="order-name" data-long={name.length > 24}>
          <a href={useHashPath.hrefs(routes.order(order.orderId))}>
            <Name of={name} />
          </a>
        </h3>
        <span className={`status status-${order.status}`}>{statusText(order.status)}</span>
      </div>
      <p className="order-facts">
        <span className="order-amount">{formatMoney(order.totalAmount, order.currency)}</span>{' '}
        <time className="age" dateTime={new Date(at).toISOString()} title={dateAndTime(at)}>
          {relativeTime(at, now)}
        </time>
      </p>
      <OrderActions {...{ order, name, roles, advance, isScrolling, canUndo, undo }} />
    </article>
  );
}
