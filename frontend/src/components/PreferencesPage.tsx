import { type FormEvent, useEffect, useId } from 'react';
import { useStore } from '../hooks/useStore';
import type { Role } from '../model/order';
import { concerns, type Preferences } from '../model/preferences';
import { type EventType, eventTypes } from '../model/wire';
import { ordersAddress } from '../store/place';
import type { PreferencesState, PreferencesStore } from '../store/preferences';
import { QuietHours } from './QuietHours';

/** Where a person chooses what they are told of, by which channel, and when no e-mail shall come. */
export function PreferencesPage({ store }: { readonly store: PreferencesStore }) {
  const state = useStore(store);
  useEffect(() => {
    void store.load();
  }, [store]);
  return (
    <main id="preferences" className="page preferences">
      <p>
        <a href={ordersAddress}>Back to the orders</a>
      </p>
      <h2>What you are told of</h2>
      {state.kind === 'loading' && <p role="status">Loading…</p>}
      {state.kind === 'failed' && (
        <>
          <p className="field-problem" role="alert">
            {state.message}
          </p>
          <button type="button" className="button" onClick={() => void store.load()}>
            Try again
          </button>
        </>
      )}
      {state.kind === 'ready' && <PreferencesForm state={state} store={store} />}
    </main>
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
        title="E-mail"
        detail={`To ${account.email}.`}
        switchLabel="Send me e-mail"
        roles={account.roles}
        enabled={draft.emailEnabled}
        events={draft.emailEvents}
        onSwitch={(emailEnabled) => store.edit({ emailEnabled })}
        onChoose={(emailEvents) => store.edit({ emailEvents })}
      />
      <Channel
        title="On this page"
        detail="Behind the bell, on every screen where you are signed in."
        switchLabel="Ring the bell for me"
        roles={account.roles}
        enabled={draft.inAppEnabled}
        events={draft.inAppEvents}
        onSwitch={(inAppEnabled) => store.edit({ inAppEnabled })}
        onChoose={(inAppEvents) => store.edit({ inAppEvents })}
      />
      <QuietHours draft={draft} onEdit={store.edit} />
      <button
        type="submit"
        className="button button-primary button-wide"
        aria-disabled={saving.kind === 'working'}
      >
        {saving.kind === 'working' ? 'Saving…' : 'Save'}
      </button>
      <p className="form-outcome" role="status">
        {saving.kind === 'saved' && 'Saved.'}
      </p>
      {saving.kind === 'failed' && (
        <p className="field-problem" role="alert">
          {saving.message}
        </p>
      )}
    </form>
  );
}

const eventNames: Readonly<Record<EventType, string>> = {
  order_created: 'New orders',
  order_paid: 'Paid orders',
  order_status_updated: 'Orders that move on, such as ready or cancelled',
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
            {eventNames[type]}
            {!concerns(type, roles) && <span className="faint"> (not for your role)</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
