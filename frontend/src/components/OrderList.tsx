import { useDeferredValue, useId, useMemo, useRef } from 'react';
import { useArrangement, useWorking } from '../hooks/useArrangement';
import { useQuery } from '../hooks/usePlace';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { answer, type Filter, filters, matches, passes, type Sort, sorts } from '../model/listing';
import { isDone, type Order, type Role } from '../model/order';
import type { Feed } from '../store/feed';
import type { Observable } from '../store/observable';
import type { Loading } from '../store/snapshot';
import { ListHead } from './ListHead';
import { OrderRows } from './OrderRows';
import { statusText } from './texts';

export interface OrderListProps {
  readonly feed: Feed;
  readonly roles: readonly Role[];
  readonly clock: Observable<number>;
}

export type Density = 'cards' | 'compact';

/** The orders that answer the address: filter, search, sort and density are in its query, so that a reload keeps them. */
export function OrderList({ feed, roles, clock }: OrderListProps) {
  const id = useId();
  const section = useRef<HTMLElement>(null);
  const rows = useRef<HTMLDivElement>(null);
  const { orders } = useStore(feed.store);
  const loading = useStore(feed.loading);
  const freshness = useStore(feed.freshness);
  const now = useStore(clock);
  const [query, setQuery] = useQuery();
  const kitchenOnly = roles.length > 0 && roles.every((role) => role === 'kitchen');

  const filter: Filter = filters.find((one) => one === query.get('state')) ?? 'active';
  const sort: Sort = sorts.find((one) => one === query.get('sort')) ?? (kitchenOnly ? 'oldest' : 'newest');
  const density: Density = query.get('view') === 'compact' ? 'compact' : 'cards';
  const typed = query.get('q') ?? '';
  const search = useDeferredValue(typed.trim().toLowerCase());

  const found = useMemo(
    () => answer(orders, { filter, sort, search }, statusText),
    [orders, filter, sort, search],
  );
  const wanted = useMemo(() => found.map((order) => order.orderId), [found]);
  const working = useWorking(rows);
  const { ids, news, arrange } = useArrangement(wanted, `${filter} ${sort} ${search}`, working);
  const active = useMemo(() => orders.reduce((n, order) => n + (isDone(order.status) ? 0 : 1), 0), [orders]);

  return (
    <section
      id="orders"
      ref={section}
      className="orders"
      tabIndex={-1}
      aria-labelledby={`${id}-title`}
      data-stale={freshness.kind === 'stale'}
    >
      <ListHead
        titleId={`${id}-title`}
        {...{ filter, sort, density, search: typed }}
        counts={{ active, done: orders.length - active, all: orders.length }}
        onChange={setQuery}
      />
      <div className="list-bar">
        {news > 0 ? (
          <button
            type="button"
            className="button button-news settle"
            onClick={() => {
              arrange();
              window.scrollTo({ top: 0 });
            }}
          >
            {t('list.news', { count: news })}
          </button>
        ) : (
          <LoadingNote loading={loading} onRetry={feed.retryNow} count={ids.length} />
        )}
      </div>
      <div ref={rows}>
        {ids.length > 0 ? (
          <OrderRows
            ids={ids}
            belongs={(order) => passes(order, filter)}
            {...{ feed, roles, now, density }}
            orders={orders}
          />
        ) : (
          loading.kind === 'loaded' && (
            <EmptyNote {...{ filter, search, orders }} onShow={(state) => setQuery({ state })} />
          )
        )}
      </div>
    </section>
  );
}

interface LoadingNoteProps {
  readonly loading: Loading;
  readonly count: number;
  readonly onRetry: () => void;
}

function LoadingNote({ loading, count, onRetry }: LoadingNoteProps) {
  if (loading.kind === 'failed') {
    return (
      <p className="list-problem" role="status">
        {t('list.failed', { problem: loading.message })}{' '}
        <button type="button" className="button button-quiet button-line" onClick={onRetry}>
          {t('tryAgain')}
        </button>
      </p>
    );
  }
  if (loading.kind !== 'loaded' && count === 0) return <p role="status">{t('list.loading')}</p>;
  return <p className="faint">{t('list.count', { count })}</p>;
}

interface EmptyNoteProps {
  readonly filter: Filter;
  readonly search: string;
  readonly orders: readonly Order[];
  readonly onShow: (filter: Filter) => void;
}

/** Why nothing is shown, and where there would be something. */
function EmptyNote({ filter, search, orders, onShow }: EmptyNoteProps) {
  if (search === '') return <p className="empty">{t(`list.empty.${emptyKey(filter)}`)}</p>;
  const elsewhere = orders.filter((order) => matches(order, search, statusText)).length;
  return (
    <div className="empty">
      <p>{t('list.noMatch')}</p>
      {elsewhere > 0 && (
        <button type="button" className="button" onClick={() => onShow('all')}>
          {t('list.elsewhere', { count: elsewhere })}
        </button>
      )}
    </div>
  );
}

function emptyKey(filter: Filter): 'active' | 'done' | 'all' | 'state' {
  return filter === 'active' || filter === 'done' || filter === 'all' ? filter : 'state';
}
