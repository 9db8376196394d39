import { useId } from 'react';
import { t } from '../i18n/words';
import { type Filter, type Sort, sorts } from '../model/listing';
import { statuses } from '../model/order';
import type { Density } from './OrderList';
import { statusText } from './texts';

export interface ListHeadProps {
  readonly titleId: string;
  readonly filter: Filter;
  readonly sort: Sort;
  readonly density: Density;
  /** As typed. */
  readonly search: string;
  readonly counts: Readonly<Record<'active' | 'done' | 'all', number>>;
  readonly onChange: (change: Readonly<Record<string, string | undefined>>) => void;
}

const groups = ['active', 'done', 'all'] as const;

/** What the list shows and how: each choice is a part of the address. */
export function ListHead({ titleId, filter, sort, density, search, counts, onChange }: ListHeadProps) {
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
        <button
          type="button"
          className="button"
          aria-pressed={density === 'compact'}
          onClick={() => onChange({ view: density === 'compact' ? '' : 'compact' })}
        >
          {t('list.compact')}
        </button>
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
