import { useId } from 'react';
import { t } from '../i18n/words';
import { type Filter, type Sort, sorts } from '../model/listing';
import { statuses } from '../model/order';
import type { Period } from '../model/period';
import type { GroupCounts } from '../store/archive';
import { PeriodSelect } from './PeriodSelect';
import { statusText } from './texts';

export const views = ['cards', 'compact', 'table'] as const;
export type View = (typeof views)[number];

export interface ListHeadProps {
  readonly titleId: string;
  readonly filter: Filter;
  readonly sort: Sort;
  readonly view: View;
  readonly period: Period;
  /** The business's day, as an ISO date. */
  readonly today: string;
  /** As typed. */
  readonly search: string;
  readonly counts: GroupCounts;
  readonly onChange: (change: Readonly<Record<string, string | undefined>>) => void;
}

const groups = ['active', 'done', 'all'] as const;

/** The controls for what the list shows and how. Each choice is part of the address. */
export function ListHead(props: ListHeadProps) {
  const { titleId, filter, sort, view, period, today, search, counts, onChange } = props;
  const id = useId();
  return (
    <div className="orders-head">
      <h2 id={titleId}>{t('list.title')}</h2>
      <fieldset className="filters">
        <legend className="hidden">{t('list.which')}</legend>
        {groups.map((group) => (
          <label key={group} className="filter">
            <input
              type="radio"
              className="hidden"
              name={`${id}-filter`}
              checked={filter === group}
              onChange={() => onChange({ state: group === 'active' ? '' : group })}
            />
            {t(`list.${group}`)} <span className="faint">{counts[group]}</span>
          </label>
        ))}
      </fieldset>
      <div className="list-choices">
        <PeriodSelect period={period} today={today} onChange={onChange} />
        <select
          className="input"
          aria-label={t('list.state')}
          value={(groups as readonly string[]).includes(filter) ? '' : filter}
          onChange={(event) => onChange({ state: event.target.value })}
        >
          <option value="">{t('list.anyState')}</option>
          {statuses.map((status) => (
            <option key={status} value={status}>
              {statusText(status)}
            </option>
          ))}
        </select>
        <select
          className="input"
          aria-label={t('list.sort')}
          value={sort}
          onChange={(event) => onChange({ sort: event.target.value })}
        >
          {sorts.map((one) => (
            <option key={one} value={one}>
              {t(`sort.${one}`)}
            </option>
          ))}
        </select>
        <select
          className="input"
          aria-label={t('list.view')}
          value={view}
          onChange={(event) => onChange({ view: event.target.value === 'cards' ? '' : event.target.value })}
        >
          {views.map((one) => (
            <option key={one} value={one}>
              {t(`view.${one}`)}
            </option>
          ))}
        </select>
      </div>
      <input
        type="search"
        className="input search"
        placeholder={t('list.searchHint')}
        aria-label={t('list.search')}
        value={search}
        onChange={(event) => onChange({ q: event.target.value })}
      />
    </div>
  );
}
