import { useRef } from 'react';
import { type Places, useGapKept } from '../hooks/usePlaceKept';
import { orderName } from '../model/order';
import { Name } from './Name';
import { Say } from './Say';
import { statusText } from './texts';
import { UndoButton, type UndoProps, useUndo } from './UndoButton';

/** The gap of an order that left the list. No other order takes its place while the user works in the list. */
export function OrderGap({ places, ...props }: UndoProps & { readonly places: Places }) {
  const gap = useRef<HTMLDivElement>(null);
  useGapKept(gap, props.order.orderId, places);
  return (
    <div ref={gap} className="order-gap" tabIndex={-1} data-testid="gap">
      <GapContent {...props} />
    </div>
  );
}

/** The order's new state, and Undo. */
export function GapContent({ order, canUndo, undo }: UndoProps) {
  const { undoing, press } = useUndo({ order, undo });
  return (
    <>
      {undoing.kind === 'failed' ? (
        <p className="field-problem" role="alert">
          {undoing.message}
        </p>
      ) : (
        <p>
          <Say id="list.gap" name={<Name of={orderName(order)} />} status={statusText(order.status)} />
        </p>
      )}
      {canUndo && (
        <UndoButton
          order={order}
          isWorking={undoing.kind === 'working'}
          onPress={() => {
            void press();
          }}
        />
      )}
    </>
  );
}
