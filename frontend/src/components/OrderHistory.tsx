import { useEffect, useState } from 'react';
import { type Key, t } from '../i18n/words';
import type { Change, History, Told } from '../model/history';
import { shownText } from '../model/text';
import { clockTime } from '../model/time';
import { messageOf } from '../services/problem';
import type { Feed } from '../store/feed';
import { Name } from './Name';
import { Say } from './Say';
import { statusText } from './texts';

export interface OrderHistoryProps {
  readonly id: string;
  /** The version of the order in the page: a new version has a new history. */
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly feed: Feed;
}

/** An order's history: who changed it, when, with which event, who was notified, and why a user was not. */
export function OrderHistory({ id, version, now, feed }: OrderHistoryProps) {
  const [history, setHistory] = useState<History>();
  const [problem, setProblem] = useState('');

  // The functions decide shortly after the change. Until then, load the history again.
  const isDecided = history?.changes[0]?.decided === true && history.changes[0].version >= version;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new version has a new history
  useEffect(() => {
    let isOver = false;
    const ask = () =>
      feed.history(id).then(
        (found) => {
          if (isOver) return;
          setHistory(found);
          setProblem('');
        },
        (err: unknown) => !isOver && setProblem(messageOf(err)),
      );
    void ask();
    const timer = isDecided ? undefined : setInterval(ask, askAgain);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [feed, id, version, isDecided]);

  return (
    <section className="history" aria-label={t('history.title')}>
      <h3>{t('history.title')}</h3>
      {problem !== '' && (
        <p className="field-problem" role="alert">
          {problem}
        </p>
      )}
      {history === undefined && problem === '' && <p role="status">{t('loading')}</p>}
      {history?.changes.length === 0 && <p className="faint">{t('history.empty')}</p>}
      <ol>
        {history?.changes.map((change) => (
          <li key={change.version} data-testid="change">
            <ChangeOf change={change} now={now} />
          </li>
        ))}
      </ol>
      {history?.more === true && <p className="faint">{t('history.more')}</p>}
    </section>
  );
}

const askAgain = 3000;

function ChangeOf({ change, now }: { readonly change: Change; readonly now: number }) {
  const { status, undone, actor, at, told, decided, moreTold, eventId } = change;
  return (
    <>
      <p className="change-head">
        <span className={`status status-${status}`}>{statusText(status)}</span>{' '}
        <time dateTime={new Date(at).toISOString()}>{clockTime(at, now)}</time>{' '}
        {actor === undefined ? (
          <span className="faint">{t('history.unknown')}</span>
        ) : (
          <span>
            <Say id="history.by" name={<Name of={shownText(actor.name) || actor.userId} />} />
          </span>
        )}
      </p>
      {undone !== undefined && <p>{t('history.undone', { status: statusText(undone) })}</p>}
      <details>
        <summary>{t('history.told')}</summary>
        {!decided && <p className="faint">{t('history.undecided')}</p>}
        {decided && told.length === 0 && <p className="faint">{t('history.noRecipients')}</p>}
        <ul>
          {told.map((one) => (
            <li key={`${one.userId} ${one.channel}`} data-testid="told">
              <Name of={shownText(one.name) || t('history.formerUser')} />, {t(`channel.${one.channel}`)}:{' '}
              {t(`outcome.${one.outcome}`)}
              {reasonText(one)}
            </li>
          ))}
        </ul>
        {moreTold > 0 && <p className="faint">{t('history.moreTold', { count: moreTold })}</p>}
        <p className="faint id">{t('history.event', { id: eventId })}</p>
      </details>
    </>
  );
}

const reasons: Readonly<Record<string, Key>> = {
  role: 'reason.role',
  preference: 'reason.preference',
  'event preference': 'reason.event_preference',
  address: 'reason.address',
  'address not confirmed': 'reason.unconfirmed',
  'quiet hours': 'reason.quiet_hours',
};

/** A known reason in the page's language; a mail server's own text unchanged. */
function reasonText({ outcome, reason }: Told): string {
  if (reason === '' || outcome === 'deferred') return '';
  const known = reasons[reason];
  return ` (${known === undefined ? reason : t(known)})`;
}
