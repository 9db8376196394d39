import { useMemo, useRef } from 'react';
import { Link } from 'wouter';
import { useVirtualRows } from '../hooks/useVirtualRows';
import { type Key, t } from '../i18n/words';
import type { Sort } from '../model/listing';
import { formatMoney } from '../model/money';
import { latenessOf, type Order, orderName } from '../model/order';
import { clockTime, relativeTime } from '../model/time';
import { OrderActions } from './OrderActions';
import { OrderGap } from './OrderGap';
import type { OrderRowsProps } from './OrderRows';
import { statusText } from './texts';

interface Column {
  readonly name: Key;
  /** What a press on its head sorts by. */
  readonly sorts?: Sort;
  /** Not shown where there is little room. */
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

/** The orders as a table. Only the rows in sight are there, so each says which of all it is. */
export function OrderTable(props: OrderTableProps) {
  const { ids, orders, belongs, feed, roles, now, settling, sort, onSort } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  const byId = useMemo(() => new Map(orders.map((order) => [order.orderId, order])), [orders]);
  const { rows, above, below, measure } = useVirtualRows({
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
          return order === undefined ? null : (
            <tr
              key={order.orderId}
              ref={measure}
              data-index={index}
              aria-rowindex={index + 2}
              data-testid="order"
              data-order-id={order.orderId}
              data-status={order.status}
              data-lateness={latenessOf(order, now)}
            >
              {belongs(order) ? (
                <Cells order={order} now={now}>
                  <OrderActions order={order} name={orderName(order)} roles={roles} advance={feed.advance} />
                </Cells>
              ) : (
                <td colSpan={columns.length}>
                  <OrderGap order={order} now={now} undo={feed.undo} />
                </td>
              )}
            </tr>
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
      <td colSpan={columns.length} style={{ blockSize: height, padding: 0, border: 0 }} />
    </tr>
  );
}

interface CellsProps {
  readonly order: Order;
  readonly now: number;
  readonly children: React.ReactNode;
}

function Cells({ order, now, children }: CellsProps) {
  return (
    <>
      <th scope="row" className="order-name">
        <Link href={`/orders/${order.orderId}`}>
          <bdi>{orderName(order)}</bdi>
        </Link>
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
      <td>{children}</td>
    </>
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
