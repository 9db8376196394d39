import { useRef, useState } from 'react';
import { type Places, useGapKept } from '../hooks/usePlaceKept';
import { isolated, t } from '../i18n/words';
import { type Order, orderName } from '../model/order';
import { messageOf } from '../services/problem';
import { Say } from './Say';
import { statusText } from './texts';

export interface OrderGapProps {
  readonly order: Order;
  /** Whether the user's own change can still be undone. */
  readonly canUndo: boolean;
  readonly undo: (order: Order) => Promise<Order>;
}

type Undoing =
  | { readonly kind: 'idle' }
  | { readonly kind: 'working' }
  | { readonly kind: 'failed'; readonly message: string };

/** The gap of an order that left the list. No other order takes its place while the user works in the list. */
export function OrderGap({ places, ...props }: OrderGapProps & { readonly places: Places }) {
  const gap = useRef<HTMLDivElement>(null);
  useGapKept(gap, props.order.orderId, places);
  return (
    <div ref={gap} className="order-gap" tabIndex={-1} data-testid="gap">
      <GapContent {...props} />
    </div>
  );
}

/** The order's new state, and Undo. */
export function GapContent({ order, canUndo, undo }: OrderGapProps) {
  const [undoing, setUndoing] = useState<Undoing>({ kind: 'idle' });
  const isWorking = undoing.kind === 'working';

  async function press(): Promise<void> {
    if (isWorking) return;
    setUndoing({ kind: 'working' });
    try {
      await undo(order);
    } catch (err) {
      setUndoing({ kind: 'failed', message: messageOf(err) });
    }
  }

  return (
    <>
      {undoing.kind === 'failed' ? (
        <p className="field-problem" role="alert">
          {undoing.message}
        </p>
      ) : (
        <p>
          <Say id="list.gap" name={<bdi>{orderName(order)}</bdi>} status={statusText(order.status)} />
        </p>
      )}
      {canUndo && (
        <button
          type="button"
          className="button settle"
          aria-disabled={isWorking}
          aria-busy={isWorking}
          onClick={() => {
            void press();
          }}
        >
          {t('undo')} <span className="hidden">{isolated(orderName(order))}</span>
        </button>
      )}
    </>
  );
}
