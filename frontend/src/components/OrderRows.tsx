import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { isolated, t } from '../i18n/words';
import { type Order, orderName, type Role } from '../model/order';
import { messageOf } from '../services/problem';
import type { Feed } from '../store/feed';
import { OrderCard } from './OrderCard';
import type { Density } from './OrderList';
import { Say } from './Say';
import { statusText } from './texts';

export interface OrderRowsProps {
  readonly ids: readonly string[];
  readonly orders: readonly Order[];
  /** Whether an order still belongs where it stands. */
  readonly belongs: (order: Order) => boolean;
  readonly feed: Feed;
  readonly roles: readonly Role[];
  readonly now: number;
  readonly density: Density;
}

/** The narrowest card and the gap between two, in pixels. */
const narrowest = 288;
const gap = 12;
/** Heights until a row is measured. */
const heights: Readonly<Record<Density, number>> = { cards: 188, compact: 56 };

/** The rows of the list that are in sight: ten thousand orders cost no more than a screen full. */
export function OrderRows({ ids, orders, belongs, feed, roles, now, density }: OrderRowsProps) {
  const list = useRef<HTMLUListElement>(null);
  const [columns, setColumns] = useState(1);
  const [offset, setOffset] = useState(0);
  const byId = useMemo(() => new Map(orders.map((order) => [order.orderId, order])), [orders]);

  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    const measure = () => {
      const fit = Math.floor((element.clientWidth + gap) / (narrowest + gap));
      setColumns(density === 'compact' ? 1 : Math.max(1, fit));
      setOffset(element.offsetTop);
    };
    measure();
    if (typeof ResizeObserver === 'undefined') return;
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [density]);

  const height = heights[density];
  const virtualizer = useWindowVirtualizer({
    count: Math.ceil(ids.length / columns),
    estimateSize: () => height,
    overscan: 4,
    gap: density === 'compact' ? 0 : gap,
    scrollMargin: offset,
    initialRect: { width: window.innerWidth, height: window.innerHeight },
    measureElement: (element) => element.getBoundingClientRect().height || height,
    getItemKey: (row) => ids[row * columns] ?? row,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: with these, every row has another height
  useEffect(() => virtualizer.measure(), [virtualizer, columns, density]);

  const rows = virtualizer.getVirtualItems();
  const above = (rows[0]?.start ?? offset) - offset;
  const below = virtualizer.getTotalSize() - ((rows.at(-1)?.end ?? offset) - offset);

  // The orders are direct children, whatever row they are in: one that changes its row keeps its element, and the focus.
  return (
    <ul
      ref={list}
      className={`order-rows order-rows-${density}`}
      data-testid="orders"
      style={{
        gridTemplateColumns: `repeat(${String(columns)}, minmax(0, 1fr))`,
        rowGap: density === 'compact' ? 0 : gap,
        paddingBlock: `${String(above)}px ${String(Math.max(0, below))}px`,
      }}
    >
      {rows.flatMap(({ index }) =>
        ids.slice(index * columns, (index + 1) * columns).map((id, column) => {
          const order = byId.get(id);
          // Cards of a row are equally high: the first stands for all.
          return (
            <li key={id} ref={column === 0 ? virtualizer.measureElement : null} data-index={index}>
              {order !== undefined &&
                (belongs(order) ? (
                  <OrderCard order={order} roles={roles} now={now} advance={feed.advance} />
                ) : (
                  <Gap order={order} now={now} undo={feed.undo} />
                ))}
            </li>
          );
        }),
      )}
    </ul>
  );
}

/** Where an order stood that no longer belongs here: nothing else takes its place while somebody works in the list. */
function Gap({ order, now, undo }: GapProps) {
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

interface GapProps {
  readonly order: Order;
  readonly now: number;
  readonly undo: (order: Order) => Promise<Order>;
}
