import { memo, useLayoutEffect, useMemo, useRef } from 'react';
import { useHashPath } from '../hooks/usePlace';
import { type Places, useGapKept, usePlaceKept } from '../hooks/usePlaceKept';
import { useVirtualRows } from '../hooks/useVirtualRows';
import { type Key, t } from '../i18n/words';
import type { Sort } from '../model/listing';
import { formatMoney } from '../model/money';
import { latenessOf, orderName } from '../model/order';
import { clockTime, relativeTime } from '../model/time';
import { routes } from '../paths';
import { Name } from './Name';
import { OrderActions } from './OrderActions';
import type { OrderCardProps } from './OrderCard';
import { GapContent } from './OrderGap';
import type { OrderRowsProps } from './OrderRows';
import { statusText } from './texts';
import type { UndoProps } from './UndoButton';

interface Column {
  readonly name: Key;
  /** The sort key of the column. */
  readonly sorts?: Sort;
  /** Hidden on narrow screens. */
  readonly isWide?: boolean;
}

const columns: readonly Column[] = [
  { name: 'table.order' },
  { name: 'list.state' },
  { name: 'order.amount', sorts: 'largest' },
  { name: 'order.created', sorts: 'newest' },
  { name: 'order.changed', sorts: 'changed', isWide: true },
  { name: 'table.actions' },
];

const one = () => 1;

export interface OrderTableProps extends OrderRowsProps {
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
}

/** The orders as a table. It renders only the rows in view, so each has its index among all rows. */
export function OrderTable(props: OrderTableProps) {
  const { ids, orders, belongs, canUndo, feed, roles, now, settling, places, sort, onSort } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  const byId = useMemo(() => new Map(orders.map((order) => [order.orderId, order])), [orders]);
  const { rows, above, below, isScrolling, measure } = useVirtualRows({
    list: body,
    ids,
    columnsFor: one,
    height: 56,
    gap: 0,
  });
  return (
    <table className="order-table" data-testid="orders" aria-rowcount={ids.length + 1}>
      <thead>
        <tr aria-rowindex={1}>
          {columns.map(({ name, sorts, isWide }) => (
            <th
              key={name}
              scope="col"
              className={isWide === true ? 'wide' : undefined}
              {...sorting(sorts, sort)}
            >
              {sorts === undefined ? (
                t(name)
              ) : (
                <button
                  type="button"
                  className="button button-quiet"
                  onClick={() => onSort(sorts === 'newest' && sort === 'newest' ? 'oldest' : sorts)}
                >
                  {t(name)} <span aria-hidden="true">{arrow(sorts, sort)}</span>
                </button>
              )}
            </th>
          ))}
        </tr>
      </thead>
      <tbody ref={body} data-settling={settling}>
        {above > 0 && <Space height={above} />}
        {rows.map((index) => {
          const order = byId.get(ids[index] ?? '');
          if (order === undefined) return null;
          const row = { order, places, index, measure, canUndo: canUndo(order), undo: feed.undo };
          return belongs(order) ? (
            <OrderRow key={order.orderId} {...row} {...{ roles, now, isScrolling }} advance={feed.advance} />
          ) : (
            <GapRow key={order.orderId} {...row} />
          );
        })}
        {below > 0 && <Space height={below} />}
      </tbody>
    </table>
  );
}

function Space({ height }: { readonly height: number }) {
  return (
    <tr>
      <td style={{ blockSize: height, padding: 0, border: 0 }} />
    </tr>
  );
}

interface RowProps extends UndoProps {
  /** Of all rows, from 0. */
  readonly index: number;
  readonly places: Places;
  readonly measure: (element: Element | null) => void;
}

const OrderRow = memo(Row);

function Row(props: RowProps & Pick<OrderCardProps, 'roles' | 'now' | 'isScrolling' | 'advance'>) {
  const { order, index, places, measure, roles, now, isScrolling, advance, canUndo, undo } = props;
  const row = useRef<HTMLTableRowElement>(null);
  usePlaceKept(row, order.orderId, places);
  useLayoutEffect(() => measure(row.current), [measure]);
  return (
    <tr
      ref={row}
      data-index={index}
      tabIndex={-1}
      aria-rowindex={index + 2}
      data-testid="order"
      data-order-id={order.orderId}
      data-status={order.status}
      data-lateness={latenessOf(order, now)}
    >
      <th scope="row" className="order-name">
        <a href={useHashPath.hrefs(routes.order(order.orderId))}>
          <Name of={orderName(order)} />
        </a>
      </th>
      <td>
        <span className={`status status-${order.status}`}>{statusText(order.status)}</span>
      </td>
      <td className="order-amount">{formatMoney(order.totalAmount, order.currency)}</td>
      <td>
        <Moment at={order.createdAt} now={now} />
      </td>
      <td className="wide">
        <Moment at={order.updatedAt} now={now} />
      </td>
      <td>
        <OrderActions {...{ order, roles, advance, isScrolling, canUndo, undo }} name={orderName(order)} />
      </td>
    </tr>
  );
}

function GapRow({ order, index, places, measure, ...gap }: RowProps) {
  const row = useRef<HTMLTableRowElement>(null);
  useGapKept(row, order.orderId, places);
  useLayoutEffect(() => measure(row.current), [measure]);
  return (
    <tr ref={row} data-index={index} tabIndex={-1} aria-rowindex={index + 2} data-testid="gap">
      {/* A cell over a column that is not shown would make another one. */}
      <td colSpan={columns.length - 1}>
        <div className="order-gap">
          <GapContent order={order} {...gap} />
        </div>
      </td>
      <td className="wide" />
    </tr>
  );
}

function Moment({ at, now }: { readonly at: number; readonly now: number }) {
  return (
    <time className="age" dateTime={new Date(at).toISOString()} title={clockTime(at, now)}>
      {relativeTime(at, now)}
    </time>
  );
}

function sorting(sorts: Sort | undefined, sort: Sort): { 'aria-sort'?: 'ascending' | 'descending' | 'none' } {
  if (sorts === undefined) return {};
  if (sorts === 'newest' && sort === 'oldest') return { 'aria-sort': 'ascending' };
  return { 'aria-sort': sorts === sort ? 'descending' : 'none' };
}

function arrow(sorts: Sort, sort: Sort): string {
  if (sorts === 'newest' && sort === 'oldest') return '▲';
  return sorts === sort ? '▼' : '';
}
