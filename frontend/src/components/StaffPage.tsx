import { type FormEvent, useEffect, useId, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { isolated, t } from '../i18n/words';
import { roles as allRoles, type Role } from '../model/order';
import { shownText } from '../model/text';
import type { Ask } from '../services/authorized';
import type { Session } from '../services/session';
import { type StaffUser, staffClient } from '../services/staff';
import { type StaffStore, staffStore } from '../store/staff';
import { Name } from './Name';
import { nothing, Outcome, type Said } from './Outcome';
import { SettingsPage } from './SettingsPage';
import { rolesText } from './texts';

export interface StaffPageProps {
  readonly ask: Ask;
  readonly session: Session;
}

/** The page where owners and managers add, change and remove the users of their business. */
export function StaffPage({ ask, session }: StaffPageProps) {
  const [store] = useState(() => staffStore(staffClient(ask)));
  const state = useStore(store);
  useEffect(() => {
    void store.load();
  }, [store]);
  // The API refuses a manager who adds or changes an owner.
  const isOwner = session.roles.includes('owner');
  const grantable = allRoles.filter((role) => isOwner || role !== 'owner');
  return (
    <SettingsPage id="staff" title={t('staff.title')} state={state} load={store.load}>
      {state.kind === 'ready' && (
        <>
          <AddForm store={store} grantable={grantable} />
          <ul className="staff-list">
            {state.items.map((user) => (
              <StaffRow
                key={user.id}
                user={user}
                store={store}
                grantable={grantable}
                isSelf={user.email === session.email}
                isFixed={!isOwner && user.roles.includes('owner')}
              />
            ))}
          </ul>
        </>
      )}
    </SettingsPage>
  );
}

interface AddFormProps {
  readonly store: StaffStore;
  readonly grantable: readonly Role[];
}

function AddForm({ store, grantable }: AddFormProps) {
  const id = useId();
  const [email, setEmail] = useState('');
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState<readonly Role[]>(['cashier']);
  const [said, setSaid] = useState<Said>(nothing);

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (chosen.length === 0) {
      setSaid({ problem: t('staff.noRole'), done: '' });
      return;
    }
    setSaid({ ...nothing, isWorking: true });
    const problem = await store.make((client) =>
      client.add({ email: email.trim(), name: name.trim(), roles: chosen }),
    );
    setSaid({ problem, done: problem === '' ? t('staff.added', { email: isolated(email.trim()) }) : '' });
    if (problem !== '') return;
    setEmail('');
    setName('');
  }

  return (
    <form className="channel" aria-labelledby={`${id}-title`} onSubmit={(event) => void submit(event)}>
      <h3 id={`${id}-title`}>{t('staff.add')}</h3>
      <label htmlFor={`${id}-email`}>{t('staff.email')}</label>
      <input
        id={`${id}-email`}
        className="input"
        type="email"
        required={true}
        autoComplete="off"
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <label htmlFor={`${id}-name`}>{t('staff.name')}</label>
      <input
        id={`${id}-name`}
        className="input"
        autoComplete="off"
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <RoleChoice grantable={grantable} chosen={chosen} onChoose={setChosen} />
      <p className="faint">{t('staff.addNote')}</p>
      <button type="submit" className="button button-primary" disabled={said.isWorking === true}>
        {t('staff.addSubmit')}
      </button>
      <Outcome said={said} />
    </form>
  );
}

interface RoleChoiceProps {
  readonly grantable: readonly Role[];
  readonly chosen: readonly Role[];
  readonly onChoose: (roles: readonly Role[]) => void;
}

function RoleChoice({ grantable, chosen, onChoose }: RoleChoiceProps) {
  return (
    <fieldset className="role-choice">
      <legend>{t('staff.roles')}</legend>
      {grantable.map((role) => (
        <label key={role} className="choice">
          <input
            type="checkbox"
            checked={chosen.includes(role)}
            onChange={(event) =>
              onChoose(event.target.checked ? [...chosen, role] : chosen.filter((other) => other !== role))
            }
          />
          {t(`role.${role}`)}
        </label>
      ))}
    </fieldset>
  );
}

interface StaffRowProps {
  readonly user: StaffUser;
  readonly store: StaffStore;
  readonly grantable: readonly Role[];
  readonly isSelf: boolean;
  /** The signed-in user may not change this user. */
  readonly isFixed: boolean;
}

function StaffRow({ user, store, grantable, isSelf, isFixed }: StaffRowProps) {
  const [doing, setDoing] = useState<'nothing' | 'roles' | 'removal'>('nothing');
  const [chosen, setChosen] = useState(user.roles);
  const [said, setSaid] = useState<Said>(nothing);
  const name = shownText(user.name) || user.email;
  const called = isolated(name);

  async function make(change: Parameters<StaffStore['make']>[0], done: string): Promise<void> {
    setSaid({ ...nothing, isWorking: true });
    const problem = await store.make(change);
    setSaid({ problem, done: problem === '' ? done : '' });
    setDoing('nothing');
  }

  function askRemoval(): void {
    if (isSelf) setSaid({ problem: t('staff.notYourself'), done: '' });
    else setDoing('removal');
  }

  return (
    <li className="channel staff-user">
      <h3>
        <Name of={name} />
        {isSelf && <span className="faint"> {t('staff.you')}</span>}
      </h3>
      <p className="faint staff-email">
        <Name of={user.email} />
      </p>
      <p>
        {rolesText(user.roles)} · <span data-state={user.emailState}>{t(`staff.${user.emailState}`)}</span>
      </p>
      {doing === 'nothing' && !isFixed && (
        <p className="staff-actions">
          <button
            type="button"
            className="button"
            onClick={() => {
              setChosen(user.roles);
              setSaid(nothing);
              setDoing('roles');
            }}
          >
            {t('staff.change')} <span className="hidden">{called}</span>
          </button>
          {user.emailState !== 'confirmed' && (
            <button
              type="button"
              className="button"
              disabled={said.isWorking === true}
              onClick={() => void make((client) => client.invite(user), t('staff.sent'))}
            >
              {t('staff.invite')} <span className="hidden">{called}</span>
            </button>
          )}
          <button type="button" className="button button-quiet" onClick={askRemoval}>
            {t('staff.remove')} <span className="hidden">{called}</span>
          </button>
        </p>
      )}
      {doing === 'roles' && (
        <>
          <RoleChoice grantable={grantable} chosen={chosen} onChoose={setChosen} />
          <p className="staff-actions">
            <button
              type="button"
              className="button button-primary"
              disabled={chosen.length === 0 || said.isWorking === true}
              onClick={() => void make((client) => client.changeRoles(user, chosen), t('staff.changed'))}
            >
              {t('staff.save')} <span className="hidden">{called}</span>
            </button>
            <button type="button" className="button" onClick={() => setDoing('nothing')}>
              {t('staff.keep')}
            </button>
          </p>
        </>
      )}
      {doing === 'removal' && (
        <>
          <p role="alert">{t('staff.removeAsk', { name: called })}</p>
          <p className="staff-actions staff-final">
            <button type="button" className="button" onClick={() => setDoing('nothing')}>
              {t('staff.keep')}
            </button>
            <button
              type="button"
              className="button button-danger"
              disabled={said.isWorking === true}
              onClick={() => void make((client) => client.remove(user), '')}
            >
              {t('staff.removeYes', { name: called })}
            </button>
          </p>
        </>
      )}
      <Outcome said={said} />
    </li>
  );
}
