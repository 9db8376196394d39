import { useEffect, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { type Filter, matches } from '../model/listing';
import type { Feed } from '../store/feed';
import { statusText } from './texts';

export interface NoOrdersProps {
  readonly filter: Filter;
  /** As listing wants it: in lower case, without spaces at its ends. */
  readonly search: string;
  readonly isCurrent: boolean;
  readonly feed: Feed;
  /** Changes the address's query. */
  readonly onShow: (change: Readonly<Record<string, string>>) => void;
}

/** Why nothing is shown, and where there would be something. */
export function NoOrders({ filter, search, isCurrent, feed, onShow }: NoOrdersProps) {
  const { orders } = useStore(feed.store);
  const loading = useStore(feed.loading);
  const archive = useStore(feed.archive);
  const isLooking = useOlder(feed, search);
  if (isCurrent ? loading.kind !== 'loaded' : archive.kind !== 'whole' && search === '') return null;
  if (search === '') {
    return <p className="empty">{t(isCurrent ? `list.empty.${emptyKey(filter)}` : 'list.empty.days')}</p>;
  }
  const elsewhere = orders.filter((order) => matches(order, search, statusText)).length;
  return (
    <div className="empty">
      <p>{t(isLooking && elsewhere === 0 ? 'list.looking' : 'list.noMatch')}</p>
      {elsewhere > 0 && (
        <button
          type="button"
          className="button"
          onClick={() => onShow({ state: 'all', days: 'any', from: '', to: '' })}
        >
          {t('list.elsewhere', { count: elsewhere })}
        </button>
      )}
    </div>
  );
}

/** While somebody types, nothing is asked for. */
const typingPause = 400;

/** Looks for orders of any age at order-api; what it finds is in the store then. Says whether it still looks. */
function useOlder(feed: Feed, search: string): boolean {
  const [looked, setLooked] = useState('');
  useEffect(() => {
    if (search === '') return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      feed
        .find(search, stop.signal)
        .catch(() => []) // out of reach: what is loaded is all there is
        .finally(() => setLooked(search));
    }, typingPause);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [feed, search]);
  return looked !== search;
}

function emptyKey(filter: Filter): 'active' | 'done' | 'all' | 'state' {
  return filter === 'active' || filter === 'done' || filter === 'all' ? filter : 'state';
}
