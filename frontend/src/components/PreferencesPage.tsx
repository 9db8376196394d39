import { type FormEvent, useEffect, useId } from 'react';
import { useStore } from '../hooks/useStore';
import { type Key, t } from '../i18n/words';
import type { Role } from '../model/order';
import { concerns, type Preferences } from '../model/preferences';
import { type EventType, eventTypes } from '../model/wire';
import type { PreferencesState, PreferencesStore } from '../store/preferences';
import type { Device } from './App';
import { DeviceChoices } from './DeviceChoices';
import { QuietHours } from './QuietHours';
import { SettingsPage } from './SettingsPage';
import { TimeZone } from './TimeZone';

/** A paired device has no mails and no inbox. */
export function DevicePreferences({ device }: { readonly device: Device }) {
  return (
    <SettingsPage id="preferences" title={t('preferences.title')} state={ready} load={() => undefined}>
      <DeviceChoices {...device} />
    </SettingsPage>
  );
}

const ready = { kind: 'ready' } as const;

export interface PreferencesPageProps {
  readonly store: PreferencesStore;
  readonly device: Device;
}

/** The page where users choose their notifications, the channels, and their quiet hours. */
export function PreferencesPage({ store, device }: PreferencesPageProps) {
  const state = useStore(store);
  useEffect(() => {
    void store.load();
  }, [store]);
  return (
    <SettingsPage id="preferences" title={t('preferences.title')} state={state} load={store.load}>
      {state.kind === 'ready' && <PreferencesForm state={state} store={store} />}
      <DeviceChoices {...device} />
    </SettingsPage>
  );
}

interface FormProps {
  readonly state: Extract<PreferencesState, { kind: 'ready' }>;
  readonly store: PreferencesStore;
}

function PreferencesForm({ state, store }: FormProps) {
  const { account, draft, saving } = state;

  function submit(event: FormEvent): void {
    event.preventDefault();
    void store.save();
  }

  return (
    <form onSubmit={submit}>
      <Channel
        title={t('preferences.email')}
        detail={t('preferences.emailTo', { email: account.email })}
        switchLabel={t('preferences.emailOn')}
        roles={account.roles}
        enabled={draft.emailEnabled}
        events={draft.emailEvents}
        onSwitch={(emailEnabled) => store.edit({ emailEnabled })}
        onChoose={(emailEvents) => store.edit({ emailEvents })}
      />
      <Channel
        title={t('preferences.page')}
        detail={t('preferences.pageDetail')}
        switchLabel={t('preferences.pageOn')}
        roles={account.roles}
        enabled={draft.inAppEnabled}
        events={draft.inAppEvents}
        onSwitch={(inAppEnabled) => store.edit({ inAppEnabled })}
        onChoose={(inAppEvents) => store.edit({ inAppEvents })}
      />
      <TimeZone draft={draft} onEdit={store.edit} />
      <QuietHours draft={draft} onEdit={store.edit} />
      <button
        type="submit"
        className="button button-primary button-wide"
        aria-disabled={saving.kind === 'working'}
      >
        {saving.kind === 'working' ? t('preferences.saving') : t('preferences.save')}
      </button>
      <p className="form-outcome" role="status">
        {saving.kind === 'saved' && t('preferences.saved')}
      </p>
      {saving.kind === 'failed' && (
        <p className="field-problem" role="alert">
          {saving.message}
        </p>
      )}
    </form>
  );
}

const eventNames: Readonly<Record<EventType, Key>> = {
  order_created: 'preferences.created',
  order_paid: 'preferences.paid',
  order_status_updated: 'preferences.changed',
};

interface ChannelProps {
  readonly title: string;
  readonly detail: string;
  readonly switchLabel: string;
  readonly roles: readonly Role[];
  readonly enabled: boolean;
  readonly events: Preferences['emailEvents'];
  readonly onSwitch: (enabled: boolean) => void;
  readonly onChoose: (events: EventType[]) => void;
}

function Channel({ title, detail, switchLabel, roles, enabled, events, onSwitch, onChoose }: ChannelProps) {
  const id = useId();
  return (
    <fieldset className="channel" aria-describedby={`${id}-detail`}>
      <legend>{title}</legend>
      <p id={`${id}-detail`} className="faint">
        {detail}
      </p>
      <label className="choice">
        <input type="checkbox" checked={enabled} onChange={(event) => onSwitch(event.target.checked)} />
        {switchLabel}
      </label>
      {eventTypes.map((type) => (
        <label key={type} className="choice choice-below">
          <input
            type="checkbox"
            disabled={!enabled}
            checked={events.includes(type)}
            onChange={(event) =>
              onChoose(eventTypes.filter((t) => (t === type ? event.target.checked : events.includes(t))))
            }
          />
          <span>
            {t(eventNames[type])}
            {!concerns(type, roles) && <span className="faint"> {t('preferences.notYourRole')}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
