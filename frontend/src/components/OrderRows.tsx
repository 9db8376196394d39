import { useMemo, useRef } from 'react';
import type { Places } from '../hooks/usePlaceKept';
import { useVirtualRows } from '../hooks/useVirtualRows';
import type { Order, Role } from '../model/order';
import type { Feed } from '../store/feed';
import { OrderCard } from './OrderCard';
import { OrderGap } from './OrderGap';

export interface OrderRowsProps {
  readonly ids: readonly string[];
  readonly orders: readonly Order[];
  /** Whether an order still belongs in the list. */
  readonly belongs: (order: Order) => boolean;
  /** Whether the user's own last change of an order can still be undone. */
  readonly canUndo: (order: Order) => boolean;
  readonly feed: Feed;
  readonly roles: readonly Role[];
  readonly now: number;
  /** The list has just changed: its controls ignore clicks for a moment. */
  readonly settling: boolean;
  readonly places: Places;
}

/** The narrowest card and the gap between two, in pixels. */
const narrowest = 288;
const gap = 12;

function cardsIn(width: number): number {
  return Math.max(1, Math.floor((width + gap) / (narrowest + gap)));
}

function oneARow(): number {
  return 1;
}

/** The orders as cards, or one per line. */
export function OrderRows({ view, ...props }: OrderRowsProps & { readonly view: 'cards' | 'compact' }) {
  const { ids, orders, belongs, canUndo, feed, roles, now, settling, places } = props;
  const list = useRef<HTMLUListElement>(null);
  const byId = useMemo(() => new Map(orders.map((order) => [order.orderId, order])), [orders]);
  const isCards = view === 'cards';
  const rowGap = isCards ? gap : 0;
  const { columns, rows, above, below, isScrolling, measure } = useVirtualRows({
    list,
    ids,
    columnsFor: isCards ? cardsIn : oneARow,
    height: isCards ? 188 : 56,
    gap: rowGap,
  });

  // All orders are direct children, so that an order that moves to another row keeps its element and the focus.
  return (
    <ul
      ref={list}
      className={`order-rows order-rows-${view}`}
      data-testid="orders"
      data-settling={settling}
      style={{
        gridTemplateColumns: `repeat(${String(columns)}, minmax(0, 1fr))`,
        rowGap,
        paddingBlock: `${String(above)}px ${String(below)}px`,
      }}
    >
      {rows.flatMap((index) =>
        ids.slice(index * columns, (index + 1) * columns).map((id, column) => {
          const order = byId.get(id);
          // The cards of a row have the same height, so measure the first.
          return (
            <li key={id} ref={column === 0 ? measure : null} data-index={index}>
              {order !== undefined &&
                (belongs(order) ? (
                  <OrderCard
                    {...{ order, roles, now, places, isScrolling }}
                    advance={feed.advance}
                    canUndo={canUndo(order)}
                    undo={feed.undo}
                  />
                ) : (
                  <OrderGap {...{ order, places }} canUndo={canUndo(order)} undo={feed.undo} />
                ))}
            </li>
          );
        }),
      )}
    </ul>
  );
}
