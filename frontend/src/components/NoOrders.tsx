import { useEffect, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { type Filter, matches } from '../model/listing';
import type { Feed } from '../store/feed';
import { statusText } from './texts';

export interface NoOrdersProps {
  readonly filter: Filter;
  /** In lower case and trimmed, as listing expects it. */
  readonly search: string;
  readonly isCurrent: boolean;
  readonly feed: Feed;
  /** Changes the address's query. */
  readonly onShow: (change: Readonly<Record<string, string>>) => void;
}

/** Explains why the list is empty, and links to views that are not. */
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

/** No search while the user types. */
const typingPause = 400;

/** Searches order-api for orders of any age and puts them into the store. Returns whether the search is still running. */
function useOlder(feed: Feed, search: string): boolean {
  const [looked, setLooked] = useState('');
  useEffect(() => {
    if (search === '') return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      feed
        .find(search, stop.signal)
        .catch(() => []) // unreachable: show the loaded orders only
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
