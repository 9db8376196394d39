import { type FormEvent, type RefObject, useEffect, useId, useRef, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { isolated, t } from '../i18n/words';
import { pairingCode } from '../model/pairingCode';
import { clockTime, relativeTime } from '../model/time';
import type { Ask } from '../services/authorized';
import { type DeviceRole, deviceClient, deviceRoles, type PairedDevice } from '../services/devices';
import { type DeviceStore, deviceStore } from '../store/devices';
import type { Observable } from '../store/observable';
import { ConfirmDialog } from './ConfirmDialog';
import { Name } from './Name';
import { nothing, Outcome, type Said } from './Outcome';
import { Say } from './Say';
import { SettingsPage } from './SettingsPage';

export interface DevicesPageProps {
  readonly ask: Ask;
  readonly clock: Observable<number>;
}

/** Characters, by openapi.yaml. */
const longestName = 200;
/** Milliseconds between two loads of the list. */
const rereading = 15_000;

/** The page where owners and managers pair tills and screens, see which are connected, and revoke them. */
export function DevicesPage({ ask, clock }: DevicesPageProps) {
  const [store] = useState(() => deviceStore(deviceClient(ask)));
  const state = useStore(store);
  const now = useStore(clock);
  const heading = useRef<HTMLHeadingElement>(null);
  const [said, setSaid] = useState<Said>(nothing);
  useEffect(() => {
    void store.refresh();
    const timer = setInterval(() => void store.refresh(), rereading);
    return () => clearInterval(timer);
  }, [store]);
  return (
    <SettingsPage id="devices" title={t('devices.title')} state={state} load={store.load}>
      {state.kind === 'ready' && (
        <>
          <ApprovalForm store={store} />
          <h3 ref={heading} tabIndex={-1}>
            {t('devices.paired')}
          </h3>
          <Outcome said={said} />
          {state.items.length === 0 && <p className="faint">{t('devices.none')}</p>}
          <ul className="staff-list">
            {state.items.map((device) => (
              <DeviceRow
                key={device.id}
                {...{ device, store, now }}
                onRevoked={() => {
                  setSaid({ problem: '', done: t('devices.revoked', { name: isolated(device.name) }) });
                  heading.current?.focus(); // the row's button is gone
                }}
              />
            ))}
          </ul>
        </>
      )}
    </SettingsPage>
  );
}

function ApprovalForm({ store }: { readonly store: DeviceStore }) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState('');
  const [name, setName] = useState('');
  const [role, setRole] = useState<DeviceRole>('cashier');
  const [asked, setAsked] = useState('');
  const [said, setSaid] = useState<Said>(nothing);

  function ask(event: FormEvent): void {
    event.preventDefault();
    if (said.isWorking === true) return;
    const code = pairingCode(typed);
    setSaid(code === undefined ? { problem: t('devices.noCode'), done: '' } : nothing);
    if (code === undefined) field.current?.focus();
    else setAsked(code);
  }

  async function approve(): Promise<void> {
    setAsked('');
    setSaid({ ...nothing, isWorking: true });
    const problem = await store.make((client) => client.approve({ code: asked, name: name.trim(), role }));
    setSaid({ problem, done: problem === '' ? t('devices.approved', { name: isolated(name.trim()) }) : '' });
    if (problem !== '') return;
    setTyped('');
    setName('');
  }

  return (
    <form className="channel" aria-labelledby={`${id}-title`} onSubmit={ask}>
      <h3 id={`${id}-title`}>{t('devices.add')}</h3>
      <p className="faint">{t('devices.how')}</p>
      <label htmlFor={`${id}-code`}>{t('devices.code')}</label>
      <CodeInput id={`${id}-code`} inputRef={field} typed={typed} onType={setTyped} />
      <label htmlFor={`${id}-name`}>{t('devices.name')}</label>
      <input
        id={`${id}-name`}
        className="input"
        required={true}
        pattern=".*\S.*"
        maxLength={longestName}
        autoComplete="off"
        placeholder={t('devices.nameExample')}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <fieldset className="role-choice">
        <legend>{t('devices.role')}</legend>
        {deviceRoles.map((one) => (
          <label key={one} className="choice">
            <input type="radio" name={`${id}-role`} checked={one === role} onChange={() => setRole(one)} />
            {t(`role.${one}`)}
          </label>
        ))}
      </fieldset>
      <button type="submit" className="button button-primary" aria-disabled={said.isWorking === true}>
        {t('devices.submit')}
      </button>
      <Outcome said={said} />
      {asked !== '' && (
        <ConfirmDialog
          isSafe={true}
          title={<Say id="devices.ask" name={<Name of={name.trim()} />} />}
          keep={t('devices.keepOff')}
          onKeep={() => setAsked('')}
          confirm={t('devices.yes', { name: isolated(name.trim()) })}
          onConfirm={() => void approve()}
        >
          <p className="dialog-amount" translate="no">
            {asked}
          </p>
          <p>{t('devices.askDetail', { role: t(`role.${role}`) })}</p>
        </ConfirmDialog>
      )}
    </form>
  );
}

interface CodeInputProps {
  readonly id: string;
  readonly inputRef: RefObject<HTMLInputElement | null>;
  readonly typed: string;
  readonly onType: (typed: string) => void;
}

function CodeInput({ id, inputRef, typed, onType }: CodeInputProps) {
  return (
    <input
      id={id}
      ref={inputRef}
      className="input code-input"
      required={true}
      autoComplete="off"
      autoCapitalize="characters"
      spellCheck={false}
      placeholder="WDJB-MJHT"
      value={typed}
      onChange={(event) => onType(event.target.value)}
    />
  );
}

interface DeviceRowProps {
  readonly device: PairedDevice;
  readonly store: DeviceStore;
  readonly now: number;
  readonly onRevoked: () => void;
}

function DeviceRow({ device, store, now, onRevoked }: DeviceRowProps) {
  const [isAsking, setAsking] = useState(false);
  const [said, setSaid] = useState<Said>(nothing);
  const called = isolated(device.name);

  async function revoke(): Promise<void> {
    setAsking(false);
    setSaid({ ...nothing, isWorking: true });
    const problem = await store.make((client) => client.revoke(device));
    setSaid({ problem, done: '' });
    if (problem === '') onRevoked();
  }

  return (
    <li className="channel staff-user">
      <h4>
        <Name of={device.name} />
      </h4>
      <p>
        {t(`role.${device.role}`)} · <Presence {...{ device, now }} />
      </p>
      <p className="faint">
        {device.pairedBy === '' ? (
          t('devices.pairedAt', { time: clockTime(device.pairedAt, now, 'short') })
        ) : (
          <Say
            id="devices.pairedBy"
            time={clockTime(device.pairedAt, now, 'short')}
            name={<Name of={device.pairedBy} />}
          />
        )}
      </p>
      <p className="staff-actions">
        <button
          type="button"
          className="button"
          aria-disabled={said.isWorking === true}
          onClick={() => {
            if (said.isWorking !== true) setAsking(true);
          }}
        >
          {t('devices.revoke')} <span className="hidden">{called}</span>
        </button>
      </p>
      <Outcome said={said} />
      {isAsking && (
        <ConfirmDialog
          title={<Say id="devices.revokeAsk" name={<Name of={device.name} />} />}
          keep={t('staff.keep')}
          onKeep={() => setAsking(false)}
          confirm={t('devices.revokeYes', { name: called })}
          onConfirm={() => void revoke()}
        >
          <p>{t('devices.revokeDetail')}</p>
        </ConfirmDialog>
      )}
    </li>
  );
}

function Presence({ device, now }: Pick<DeviceRowProps, 'device' | 'now'>) {
  const { connectedSince, lastSeenAt } = device;
  if (connectedSince !== undefined) {
    const time = clockTime(connectedSince, now, 'short');
    return <span data-connected={true}>{t('devices.connected', { time })}</span>;
  }
  if (lastSeenAt === undefined) return <span>{t('devices.never')}</span>;
  return <span>{t('devices.seen', { time: relativeTime(lastSeenAt, now) })}</span>;
}
