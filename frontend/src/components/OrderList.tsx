import { useDeferredValue, useId, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { isDone, type Order, type Role } from '../model/order';
import type { ConnectionState } from '../services/sse';
import type { Feed } from '../store/feed';
import type { Observable } from '../store/observable';
import type { Loading } from '../store/snapshot';
import { OrderCard } from './OrderCard';

export interface OrderListProps {
  readonly feed: Feed;
  readonly roles: readonly Role[];
  readonly clock: Observable<number>;
}

type Filter = 'active' | 'done' | 'all';

const filters: readonly { readonly filter: Filter; readonly label: string }[] = [
  { filter: 'active', label: 'Active' },
  { filter: 'done', label: 'Done' },
  { filter: 'all', label: 'All' },
];

/** Cards at once: some screens full, and still quick on a till's tablet. */
const page = 200;

export function OrderList({ feed, roles, clock }: OrderListProps) {
  const id = useId();
  const { orders } = useStore(feed.store);
  const loading = useStore(feed.loading);
  const connection = useStore(feed.connection);
  const now = useStore(clock);
  const [filter, setFilter] = useState<Filter>('active');
  const [search, setSearch] = useState('');
  const [most, setMost] = useState(page);
  const wanted = useDeferredValue(search.trim().toLowerCase());

  const active = orders.reduce((count, order) => count + (isDone(order.status) ? 0 : 1), 0);
  const counts: Record<Filter, number> = { active, done: orders.length - active, all: orders.length };
  const found = orders.filter((order) => passes(order, filter) && matches(order, wanted));
  const shown = found.slice(0, most);

  return (
    <section
      id="orders"
      className="orders"
      tabIndex={-1}
      aria-labelledby={`${id}-title`}
      data-stale={connection.kind === 'stale' || connection.kind === 'closed'}
    >
      <div className="orders-head">
        <h2 id={`${id}-title`}>Orders</h2>
        <fieldset className="filters">
          <legend className="hidden">Which orders</legend>
          {filters.map((choice) => (
            <label key={choice.filter} className="filter">
              <input
                type="radio"
                className="hidden"
                name={`${id}-filter`}
                checked={filter === choice.filter}
                onChange={() => {
                  setFilter(choice.filter);
                  setMost(page);
                }}
              />
              {choice.label} <span className="faint">{counts[choice.filter]}</span>
            </label>
          ))}
        </fieldset>
        <input
          type="search"
          className="input search"
          placeholder="Find a reference"
          aria-label="Find an order by its reference"
          value={search}
          onChange={(event) => {
            setSearch(event.target.value);
            setMost(page);
          }}
        />
      </div>
      <ListNote loading={loading} connection={connection} onRetry={feed.retryNow} />
      {shown.length > 0 ? (
        <ul className="order-grid" data-testid="orders">
          {shown.map((order) => (
            <OrderCard key={order.orderId} order={order} roles={roles} now={now} advance={feed.advance} />
          ))}
        </ul>
      ) : (
        loading.kind === 'loaded' && <p className="empty">{emptyText(filter, wanted)}</p>
      )}
      {found.length > most && (
        <button type="button" className="button more" onClick={() => setMost(most + page)}>
          Show {Math.min(page, found.length - most)} more of {found.length}
        </button>
      )}
    </section>
  );
}

interface ListNoteProps {
  readonly loading: Loading;
  readonly connection: ConnectionState;
  readonly onRetry: () => void;
}

function ListNote({ loading, connection, onRetry }: ListNoteProps) {
  const isStale = connection.kind === 'stale';
  const isBusy = isStale && connection.reason === 'overloaded';
  return (
    <div className="list-note" role="status">
      {isStale && (
        <p className="notice">
          {isBusy ? 'The server is busy and will be tried again.' : 'The connection was lost.'} This list may
          be out of date.{' '}
          {!isBusy && (
            <button type="button" className="button button-quiet" onClick={onRetry}>
              Retry now
            </button>
          )}
        </p>
      )}
      {loading.kind === 'loading' && (
        <p className="faint">
          Loading orders…{loading.loaded > 0 ? ` ${String(loading.loaded)} so far` : ''}
        </p>
      )}
      {loading.kind === 'failed' && !isStale && (
        <p className="notice">
          The orders could not be loaded. {loading.message}{' '}
          <button type="button" className="button button-quiet" onClick={onRetry}>
            Try again
          </button>
        </p>
      )}
    </div>
  );
}

function passes(order: Order, filter: Filter): boolean {
  return filter === 'all' || isDone(order.status) === (filter === 'done');
}

function matches(order: Order, wanted: string): boolean {
  return wanted === '' || order.reference.toLowerCase().includes(wanted) || order.orderId.includes(wanted);
}

function emptyText(filter: Filter, wanted: string): string {
  if (wanted !== '') return 'No order matches.';
  switch (filter) {
    case 'active':
      return 'No order is waiting. New ones appear here by themselves.';
    case 'done':
      return 'No order is done yet.';
    case 'all':
      return 'No orders yet. New ones appear here by themselves.';
  }
}
