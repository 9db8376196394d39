import { useDeferredValue, useEffect, useId, useMemo, useRef, useState } from 'react';
import { useArrangement, useSettling, useWorking } from '../hooks/useArrangement';
import { useListAddress } from '../hooks/useListAddress';
import { newPlaces } from '../hooks/usePlaceKept';
import { useStore } from '../hooks/useStore';
import { useTimeZone } from '../hooks/useTimeZone';
import { t } from '../i18n/words';
import { answer, type Filter, passes } from '../model/listing';
import { isDone, type Order, type Role } from '../model/order';
import { inPeriod, type Period } from '../model/period';
import { dayOf } from '../model/zone';
import { type Archive, type GroupCounts, groupCounts } from '../store/archive';
import type { Feed } from '../store/feed';
import type { Observable } from '../store/observable';
import { beforeUndoable } from '../store/undo';
import { ListBar } from './ListBar';
import { ListHead } from './ListHead';
import { NoOrders } from './NoOrders';
import { OrderRows } from './OrderRows';
import { OrderTable } from './OrderTable';
import { statusText } from './texts';
import { ZoneNote } from './ZoneNote';

export interface OrderListProps {
  readonly feed: Feed;
  readonly roles: readonly Role[];
  readonly clock: Observable<number>;
}

/** The list of orders. Days, filter, search, sort order and view are in the address's query, so that a reload keeps them. */
export function OrderList({ feed, roles, clock }: OrderListProps) {
  const id = useId();
  const rows = useRef<HTMLDivElement>(null);
  const [places] = useState(newPlaces);
  const { orders } = useStore(feed.store);
  const loading = useStore(feed.loading);
  const archive = useStore(feed.archive);
  const freshness = useStore(feed.freshness);
  const undoable = useStore(feed.undoable);
  const timeZone = useTimeZone(feed.tenant);
  const now = useStore(clock);
  const { filter, sort, view, period, search: typed, change } = useListAddress(roles);
  const search = useDeferredValue(typed.trim().toLowerCase());
  const today = dayOf(now, timeZone);
  const isCurrent = period.kind === 'current';

  useArchive(feed, filter, period);

  // biome-ignore lint/correctness/useExhaustiveDependencies: of `now`, only the day counts
  const ofPeriod = useMemo(() => inPeriod(period, timeZone, now), [period, timeZone, today]);
  const since = isCurrent || search !== '' ? 0 : archive.since;
  const before = useMemo(() => (order: Order) => beforeUndoable(undoable, order), [undoable]);
  const found = useMemo(
    () => answer(orders, { filter, sort, search, inPeriod: ofPeriod, since, before }, statusText),
    [orders, filter, sort, search, ofPeriod, since, before],
  );
  const wanted = useMemo(() => found.map((order) => order.orderId), [found]);
  const working = useWorking(rows);
  const key = JSON.stringify([filter, sort, search, period]);
  const { ids, news, arrange } = useArrangement(wanted, key, working);
  const settling = useSettling(ids);
  const counts = useMemo(() => countsOf(orders, ofPeriod), [orders, ofPeriod]);
  const list = {
    ...{ ids, orders, feed, roles, now, settling, places },
    belongs: (order: Order) => passes(order, filter) && ofPeriod(order),
    canUndo: (order: Order) => before(order) !== undefined,
  };

  return (
    <section
      id="orders"
      className="orders"
      tabIndex={-1}
      aria-labelledby={`${id}-title`}
      data-stale={freshness.kind === 'stale'}
    >
      <ListHead
        titleId={`${id}-title`}
        {...{ filter, sort, view, period, today, search: typed }}
        counts={isCurrent ? counts : archiveCounts(archive)}
        onChange={change}
      />
      {period.kind === 'days' && <ZoneNote zone={timeZone} text="zone.days" />}
      <ListBar
        {...{ loading, archive, isCurrent, news }}
        count={ids.length}
        onArrange={arrange}
        onRetry={() => {
          feed.retryNow();
          feed.archive.more();
        }}
      />
      <div ref={rows}>
        {ids.length === 0 ? (
          <NoOrders {...{ filter, search, feed, isCurrent }} onShow={change} />
        ) : view === 'table' ? (
          <OrderTable {...list} sort={sort} onSort={(by) => change({ sort: by })} />
        ) : (
          <OrderRows {...list} view={view} />
        )}
      </div>
      {!isCurrent && search === '' && <OlderOrders archive={archive} onMore={feed.archive.more} />}
    </section>
  );
}

/** Loads the orders of the list from the archive if it needs more than the current orders. */
function useArchive(feed: Feed, filter: Filter, period: Period): void {
  useEffect(() => {
    feed.archive.ask(period.kind === 'current' ? undefined : { filter, period });
  }, [feed.archive, filter, period]);
}

interface OlderOrdersProps {
  readonly archive: Archive;
  readonly onMore: () => void;
}

function OlderOrders({ archive, onMore }: OlderOrdersProps) {
  if (archive.kind !== 'partial' && archive.kind !== 'loading') return null;
  const isLoading = archive.kind === 'loading';
  return (
    <button type="button" className="button button-wide" aria-disabled={isLoading} onClick={onMore}>
      {t(isLoading ? 'list.loading' : 'list.older')}
    </button>
  );
}

function archiveCounts({ counts }: Archive): GroupCounts {
  return counts === undefined ? { active: '', done: '', all: '' } : groupCounts(counts);
}

function countsOf(orders: readonly Order[], ofPeriod: (order: Order) => boolean): GroupCounts {
  let [active, done] = [0, 0];
  for (const order of orders) {
    if (!ofPeriod(order)) continue;
    if (isDone(order.status)) done += 1;
    else active += 1;
  }
  return { active: String(active), done: String(done), all: String(active + done) };
}
