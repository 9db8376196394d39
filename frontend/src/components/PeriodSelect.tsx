import { useId } from 'react';
import { t } from '../i18n/words';
import {
  choiceOf,
  type Period,
  type PeriodChoice,
  periodChoices,
  periodFor,
  periodOf,
  queryFor,
} from '../model/period';

export interface PeriodSelectProps {
  readonly period: Period;
  /** The business's day, as an ISO date. */
  readonly today: string;
  /** The change of the address's query. */
  readonly onChange: (change: Readonly<Record<string, string | undefined>>) => void;
}

/** Which days the list shows. */
export function PeriodSelect({ period, today, onChange }: PeriodSelectProps) {
  const id = useId();
  return (
    <>
      <select
        className="input"
        aria-label={t('period.label')}
        value={choiceOf(period, today)}
        onChange={(event) => onChange(queryFor(periodFor(event.target.value as PeriodChoice, today)))}
      >
        {periodChoices.map((choice) => (
          <option key={choice} value={choice}>
            {t(`period.${choice}`)}
          </option>
        ))}
      </select>
      {period.kind === 'days' && (
        <span className="days">
          <label htmlFor={`${id}-from`} className="hidden">
            {t('period.from')}
          </label>
          <input
            id={`${id}-from`}
            className="input"
            type="date"
            max={today}
            value={period.from}
            onChange={(event) => change({ from: event.target.value })}
          />
          <span aria-hidden="true">–</span>
          <label htmlFor={`${id}-to`} className="hidden">
            {t('period.to')}
          </label>
          <input
            id={`${id}-to`}
            className="input"
            type="date"
            max={today}
            value={period.to}
            onChange={(event) => change({ to: event.target.value })}
          />
        </span>
      )}
    </>
  );

  /** If `from` would be after `to`, both get the new date. A half-typed date changes nothing. */
  function change(end: { from: string } | { to: string }): void {
    if (period.kind !== 'days') return;
    const next = { ...period, ...end };
    if (next.from > next.to) Object.assign(next, 'from' in end ? { to: next.from } : { from: next.to });
    const read = periodOf(new URLSearchParams({ from: next.from, to: next.to }));
    if (read.kind === 'days') onChange(queryFor(read));
  }
}
