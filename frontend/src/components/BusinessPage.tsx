import { type FormEvent, useId, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { type Language, languages, t } from '../i18n/words';
import type { Tenant, TenantSettings } from '../model/tenant';
import { knownZones } from '../model/zone';
import { messageOf, Problem } from '../services/problem';
import type { TenantStore } from '../store/tenant';
import { commonCurrencies, otherCurrencies } from './currencies';
import { SettingsPage } from './SettingsPage';
import { ZoneNote } from './ZoneNote';

/** The page where owners set the currency, language and time zone of the business. */
export function BusinessPage({ store }: { readonly store: TenantStore }) {
  const state = useStore(store);
  const [outcome, setOutcome] = useState<Outcome>({ kind: 'none' });
  return (
    <SettingsPage id="business" title={t('business.title')} state={state} load={store.load}>
      {/* The key makes settings that came from elsewhere a new form: they are shown, not overwritten. */}
      {state.kind === 'ready' && (
        <Settings key={state.tenant.version} tenant={state.tenant} store={store} onOutcome={setOutcome} />
      )}
      <p className="form-outcome" role="status">
        {outcome.kind === 'saved' && t('preferences.saved')}
      </p>
      {outcome.kind === 'failed' && (
        <p className="field-problem" role="alert">
          {outcome.message}
        </p>
      )}
    </SettingsPage>
  );
}

type Outcome = { readonly kind: 'none' | 'saved' } | { readonly kind: 'failed'; readonly message: string };

interface SettingsProps {
  readonly tenant: Tenant;
  readonly store: TenantStore;
  readonly onOutcome: (outcome: Outcome) => void;
}

const languageNames: Readonly<Record<Language, string>> = { en: 'English', id: 'Bahasa Indonesia' };

function Settings({ tenant, store, onOutcome }: SettingsProps) {
  const id = useId();
  const [draft, setDraft] = useState<TenantSettings>(tenant);
  const [isSaving, setSaving] = useState(false);
  const zones = knownZones().filter((zone) => zone !== 'UTC');

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (isSaving) return;
    setSaving(true);
    onOutcome({ kind: 'none' });
    try {
      await store.save(draft);
      onOutcome({ kind: 'saved' });
    } catch (err) {
      const isOvertaken = err instanceof Problem && err.status === 412;
      onOutcome({ kind: 'failed', message: isOvertaken ? t('business.overtaken') : messageOf(err) });
      if (isOvertaken) store.load();
    } finally {
      setSaving(false);
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Choice
        id={`${id}-currency`}
        label={t('business.currency')}
        detail={t('business.currencyDetail')}
        value={draft.currency}
        options={[...commonCurrencies, ...otherCurrencies(tenant.currency)].map((code) => [code, code])}
        onChange={(currency) => setDraft({ ...draft, currency })}
      />
      <Choice
        id={`${id}-language`}
        label={t('business.language')}
        detail={t('business.languageDetail')}
        value={draft.locale}
        options={withOwn<string>(languages, tenant.locale).map((tag) => [
          tag,
          languageNames[tag as Language] ?? tag,
        ])}
        onChange={(locale) => setDraft({ ...draft, locale })}
      />
      <Choice
        id={`${id}-zone`}
        label={t('business.zone')}
        detail={t('business.zoneDetail')}
        value={draft.timeZone}
        options={withOwn(['UTC', ...zones], tenant.timeZone).map((zone) => [zone, zone])}
        onChange={(timeZone) => setDraft({ ...draft, timeZone })}
      />
      <ZoneNote zone={draft.timeZone} text="zone.days" />
      <button type="submit" className="button button-primary button-wide" aria-disabled={isSaving}>
        {isSaving ? t('preferences.saving') : t('preferences.save')}
      </button>
    </form>
  );
}

interface ChoiceProps {
  readonly id: string;
  readonly label: string;
  readonly detail: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, text: string])[];
  readonly onChange: (value: string) => void;
}

function Choice({ id, label, detail, value, options, onChange }: ChoiceProps) {
  return (
    <p className="business-choice">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        className="input"
        aria-describedby={`${id}-detail`}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      >
        {options.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
      <span id={`${id}-detail`} className="faint">
        {detail}
      </span>
    </p>
  );
}

/** The choices, including the current one even if this page does not offer it. */
function withOwn<T extends string>(choices: readonly T[], own: T): readonly T[] {
  return choices.includes(own) ? choices : [own, ...choices];
}
