import { useState } from 'react';
import { isolated, t } from '../i18n/words';
import { type Order, orderName } from '../model/order';
import { messageOf } from '../services/problem';
import { Say } from './Say';
import { statusText } from './texts';

export interface OrderGapProps {
  readonly order: Order;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly undo: (order: Order) => Promise<Order>;
}

/** Where an order stood that no longer belongs here: nothing else takes its place while somebody works in the list. */
export function OrderGap({ order, now, undo }: OrderGapProps) {
  const [problem, setProblem] = useState('');
  return (
    <div className="order-gap" data-testid="gap">
      <p>
        <Say id="list.gap" name={<bdi>{orderName(order)}</bdi>} status={statusText(order.status)} />
      </p>
      {(order.undoUntil ?? 0) > now && (
        <button
          type="button"
          className="button settle"
          onClick={() => {
            undo(order).catch((err: unknown) => setProblem(messageOf(err)));
          }}
        >
          {t('undo')} <span className="hidden">{isolated(orderName(order))}</span>
        </button>
      )}
      {problem !== '' && (
        <p className="field-problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
