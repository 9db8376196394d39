import { useStore } from '../hooks/useStore';
import { type Key, t } from '../i18n/words';
import { clockTime } from '../model/time';
import type { Freshness, Why } from '../store/freshness';
import type { Observable } from '../store/observable';

/** Shows whether the page is current. */
export function ConnectionBadge({ freshness }: { readonly freshness: Observable<Freshness> }) {
  const state = useStore(freshness);
  return (
    <p className={`badge badge-${state.kind}`} role="status" data-testid="connection" data-state={state.kind}>
      <span className="badge-text">{badgeText(state)}</span>
    </p>
  );
}

function badgeText(state: Freshness): string {
  switch (state.kind) {
    case 'live':
      return t('badge.live');
    case 'connecting':
      return t('badge.connecting');
    case 'stale':
      return state.since === 0
        ? t('badge.notLive')
        : t('badge.notLiveSince', { time: clockTime(state.since, Date.now()) });
  }
}

const reasons: Readonly<Record<Why, Key>> = {
  offline: 'stale.offline',
  connection: 'stale.connection',
  busy: 'stale.busy',
  degraded: 'stale.degraded',
  loading: 'stale.loading',
  closed: 'stale.closed',
};

/** Why the list may be old and, once it is current again, what was missed. The line always has its space, so that nothing moves. */
export function FreshnessLine({ freshness, onRetry }: FreshnessLineProps) {
  const state = useStore(freshness);
  if (state.kind === 'stale') {
    return (
      <>
        <span data-testid="stale">
          {t(reasons[state.why])} {outlook(state)}
        </span>{' '}
        {state.why !== 'loading' && state.why !== 'offline' && (
          <button type="button" className="button button-quiet button-line" onClick={onRetry}>
            {t('retryNow')}
          </button>
        )}
      </>
    );
  }
  if (state.kind === 'live' && state.caughtUp !== undefined) {
    const { since, until, orders } = state.caughtUp;
    return (
      <span data-testid="caught-up">
        {t('caughtUp', { from: clockTime(since, until), to: clockTime(until, until), orders })}
      </span>
    );
  }
  return null;
}

/** What the page shows instead, and what still works. */
function outlook({ since, why }: Extract<Freshness, { kind: 'stale' }>): string {
  const time = clockTime(since, Date.now());
  if (why === 'offline') return since === 0 ? t('stale.offlineEmpty') : t('stale.offlineAsOf', { time });
  return since === 0 ? t('stale.mayBeOld') : t('stale.asOf', { time });
}

export interface FreshnessLineProps {
  readonly freshness: Observable<Freshness>;
  readonly onRetry: () => void;
}
