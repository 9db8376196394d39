import { t } from '../i18n/words';
import type { Archive } from '../store/archive';
import type { Loading } from '../store/snapshot';

export interface ListBarProps {
  readonly loading: Loading;
  readonly archive: Archive;
  /** Whether the list shows only the open orders and those of today. */
  readonly isCurrent: boolean;
  /** The numbers of shown orders and of new orders that are held back. */
  readonly count: number;
  readonly news: number;
  readonly onArrange: () => void;
  readonly onRetry: () => void;
}

/** The line above the orders. It always has its space, so that a new text moves nothing. */
export function ListBar(props: ListBarProps) {
  return <div className="list-bar">{props.news > 0 ? <News {...props} /> : <State {...props} />}</div>;
}

function News({ news, onArrange }: ListBarProps) {
  return (
    <button
      type="button"
      className="button button-news settle"
      onClick={() => {
        onArrange();
        window.scrollTo({ top: 0 });
      }}
    >
      {t('list.news', { count: news })}
    </button>
  );
}

function State({ loading, archive, isCurrent, count, onRetry }: ListBarProps) {
  const problem = isCurrent
    ? loading.kind === 'failed' && loading.message
    : archive.kind === 'failed' && archive.message;
  if (problem !== false) {
    return (
      <p className="list-problem" role="status">
        {t('list.failed', { problem })}{' '}
        <button type="button" className="button button-quiet button-line" onClick={onRetry}>
          {t('tryAgain')}
        </button>
      </p>
    );
  }
  const isLoading = isCurrent ? loading.kind !== 'loaded' : archive.kind === 'loading';
  if (isLoading && count === 0) return <p role="status">{t('list.loading')}</p>;
  return (
    <p className="faint">
      {t(!isCurrent && archive.kind !== 'whole' ? 'list.countLoaded' : 'list.count', { count })}
    </p>
  );
}
