import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useQuery } from '../hooks/usePlace';
import { useTimeZone } from '../hooks/useTimeZone';
import { locale, t } from '../i18n/words';
import { formatMoney } from '../model/money';
import { statuses } from '../model/order';
import { type Day, type Recent, type Summary, stages, type Takings } from '../model/summary';
import { dayOf } from '../model/zone';
import { routes } from '../paths';
import { messageOf } from '../services/problem';
import type { Feed } from '../store/feed';
import { Bars } from './Bars';
import { statusText } from './texts';
import { ZoneNote } from './ZoneNote';

/** A day of the business next to the day before: sales, states, payments by hour. */
export function TodayPage({ feed }: { readonly feed: Feed }) {
  const timeZone = useTimeZone(feed.tenant);
  const [query, change] = useQuery();
  const date = query.get('date') ?? '';
  const { summary, problem } = useSummary(feed, date);
  return (
    <main id="today" className="page today">
      <p>
        <Link href={routes.orders} className="back">
          {t('back')}
        </Link>
      </p>
      <div className="today-head">
        <h2>{t('today.title')}</h2>
        <label>
          <span className="hidden">{t('today.day')}</span>
          <input
            className="input"
            type="date"
            max={dayOf(Date.now(), timeZone)}
            value={date || dayOf(Date.now(), timeZone)}
            onChange={(event) => change({ date: event.target.value })}
          />
        </label>
      </div>
      <ZoneNote zone={timeZone} text="zone.today" />
      {problem !== '' && (
        <p className="field-problem" role="alert">
          {problem}
        </p>
      )}
      {summary === undefined && problem === '' && <p role="status">{t('loading')}</p>}
      {summary !== undefined && <Figures {...summary} />}
    </main>
  );
}

/** The shortest time between two loads, however many orders change. */
const pace = 2000;
/** The time between two loads without a change: the minutes of the chart move on. */
const atRest = 60_000;

/** The day's figures, loaded again after each change on the stream. */
function useSummary(feed: Feed, date: string): { summary: Summary | undefined; problem: string } {
  const [summary, setSummary] = useState<Summary>();
  const [problem, setProblem] = useState('');
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isDue = false;
    const show = (found: Summary) => {
      if (isOver) return;
      setSummary(found);
      setProblem('');
    };
    const rest = () => {
      if (!isOver && !isDue) timer = setTimeout(ask, atRest);
    };
    const ask = () => {
      isDue = false;
      feed
        .summary(date)
        .then(show, (err: unknown) => !isOver && setProblem(messageOf(err)))
        .finally(rest);
    };
    const stop = feed.store.onChange(() => {
      if (isDue) return;
      isDue = true;
      clearTimeout(timer);
      timer = setTimeout(ask, pace);
    });
    ask();
    return () => {
      isOver = true;
      stop();
      clearTimeout(timer);
    };
  }, [feed, date]);
  return { summary, problem };
}

function Figures({ day, before, recent }: Summary) {
  return (
    <>
      <section className="today-part" aria-label={t('today.takings')}>
        <h3>{t('today.takings')}</h3>
        {day.takings.length === 0 && <p className="faint">{t('today.none')}</p>}
        {day.takings.map((takings) => (
          <TakingsOf key={takings.currency} takings={takings} before={before} />
        ))}
      </section>
      <section className="today-part" aria-label={t('today.hours')}>
        <Bars
          title={`${t('today.hours')} (▒ ${t('today.dayBefore')})`}
          every={6}
          bars={day.hours.map((value, hour) => ({
            label: String(hour),
            value,
            before: before.hours[hour] ?? 0,
          }))}
        />
      </section>
      {recent !== undefined && <LastHour {...recent} />}
      <section className="today-part" aria-label={t('today.counts')}>
        <h3>{t('today.counts')}</h3>
        <dl className="today-counts">
          {statuses.map((status) => (
            <div key={status}>
              <dt>{statusText(status)}</dt>
              <dd data-testid={`count-${status}`}>
                {day.counts[status]} <span className="faint">({before.counts[status]})</span>
              </dd>
            </div>
          ))}
        </dl>
      </section>
      <Stages day={day} before={before} />
    </>
  );
}

function TakingsOf({ takings, before }: { readonly takings: Takings; readonly before: Day }) {
  const { currency, paid, refunded, payments } = takings;
  const earlier = before.takings.find((one) => one.currency === currency);
  const net = earlier === undefined ? 0 : earlier.paid - earlier.refunded;
  return (
    <p className="takings">
      <strong data-testid={`takings-${currency}`}>{signedMoney(paid - refunded, currency)}</strong>{' '}
      <span>{t('today.payments', { count: payments })}</span>
      {refunded > 0 && <span>, {t('today.refunded', { amount: formatMoney(refunded, currency) })}</span>}{' '}
      <span className="faint">
        {t('today.before', { date: dateText(before.date), amount: signedMoney(net, currency) })}
      </span>
    </p>
  );
}

/** May be negative: refunds of a day may exceed its payments. */
function signedMoney(amount: number, currency: string): string {
  return `${amount < 0 ? '−' : ''}${formatMoney(Math.abs(amount), currency)}`;
}

function LastHour({ payments }: Recent) {
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  const rate = new Intl.NumberFormat(locale(), { maximumFractionDigits: 1 }).format(
    sum(payments.slice(-10)) / 10,
  );
  return (
    <section className="today-part" aria-label={t('today.recent')}>
      <Bars
        title={t('today.recentText', { count: sum(payments), rate })}
        every={10}
        bars={payments.map((value, i) => ({ label: `−${String(payments.length - 1 - i)}′`, value }))}
      />
    </section>
  );
}

function Stages({ day, before }: { readonly day: Day; readonly before: Day }) {
  const most = Math.max(1, day.funnel.created);
  return (
    <section className="today-part" aria-label={t('today.funnel')}>
      <h3>{t('today.funnel')}</h3>
      <dl className="funnel">
        {stages.map((stage) => (
          <div key={stage}>
            <dt>{t(`stage.${stage}`)}</dt>
            <dd data-testid={`stage-${stage}`}>
              <meter min={0} max={most} value={day.funnel[stage]} aria-hidden="true" />
              {day.funnel[stage]} <span className="faint">({before.funnel[stage]})</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function dateText(date: string): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeZone: 'UTC' }).format(
    Date.parse(`${date}T00:00:00Z`),
  );
}
