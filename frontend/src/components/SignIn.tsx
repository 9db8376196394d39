import { lazy, type SubmitEvent, useEffect, useId, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { messageOf } from '../services/problem';
import { pairingKey, type Session, sessionFromToken } from '../services/session';
import type { Access } from '../store/access';
import type { DemoUsersStore } from '../store/demoUsers';
import { BellIcon } from './Icons';
import { Later } from './Later';
import { Name } from './Name';
import { ProviderSignIn, type ProviderSignInProps } from './ProviderSignIn';
import { rolesText } from './texts';

const pairTill = () => import('./PairTill');
const PairTill = lazy(async () => ({ default: (await pairTill()).PairTill }));

export interface SignInProps {
  readonly demoUsers: DemoUsersStore;
  /** Why the user has to sign in again; may be empty. */
  readonly reason: string;
  readonly onSignIn: (session: Session) => void;
  readonly access?: ProviderSignInProps;
}

export function SignIn({ reason, ...ways }: SignInProps) {
  const [isPairing, setPairing] = useState(() => window.sessionStorage.getItem(pairingKey) !== null);
  useEffect(() => {
    // Load it now, because the server may be down when it is needed.
    pairTill().catch(() => undefined);
  }, []);
  return (
    <main className="sign-in">
      <title>{t('signIn.title')}</title>
      <header className="sign-in-head">
        <BellIcon />
        <h1>Orderbell</h1>
      </header>
      {reason !== '' && (
        <p className="note" role="alert">
          {reason}
        </p>
      )}
      {isPairing ? (
        <Later fallback={<p>{t('loading')}</p>}>
          <PairTill onPaired={ways.onSignIn} onCancel={() => setPairing(false)} />
        </Later>
      ) : (
        <Ways {...ways} onPair={() => setPairing(true)} />
      )}
    </main>
  );
}

interface WaysProps extends Omit<SignInProps, 'reason'> {
  readonly onPair: () => void;
}

function Ways({ demoUsers, onSignIn, access, onPair }: WaysProps) {
  const state = useStore(demoUsers);
  const id = useId();
  return (
    <>
      {access !== undefined && <ProviderSignIn {...access} />}
      <section className="provider" aria-label={t('pair.begin')}>
        <button type="button" className="button button-wide" aria-describedby={id} onClick={onPair}>
          {t('pair.begin')}
        </button>
        <p id={id} className="faint">
          {t('pair.note')}
        </p>
      </section>
      {state.kind === 'loading' && <p role="status">{t('signIn.looking')}</p>}
      {state.kind === 'failed' && (
        <p className="note" role="alert">
          {state.message}{' '}
          <button type="button" className="button button-quiet" onClick={demoUsers.load}>
            {t('tryAgain')}
          </button>
        </p>
      )}
      {state.kind === 'users' && (
        <>
          <p className="lead">{t('signIn.lead')}</p>
          {state.tenants.map((tenant) => (
            <section key={tenant.id} className="tenant" aria-labelledby={`tenant-${tenant.id}`}>
              <h2 id={`tenant-${tenant.id}`}>
                <Name of={tenant.name} />
              </h2>
              <ul className="demo-users">
                {tenant.users.map((user) => (
                  <li key={user.email}>
                    <button type="button" className="demo-user" onClick={() => onSignIn(user)}>
                      <span className="demo-user-name">
                        <Name of={user.name} />
                      </span>{' '}
                      <span className="demo-user-roles">{rolesText(user.roles)}</span>{' '}
                      <span className="demo-user-email">{user.email}</span>
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </>
      )}
      {state.kind === 'users' && <TokenBox onSignIn={onSignIn} />}
      {state.kind === 'none' && access !== undefined && (
        <ClusterTokenBox access={access.access} onSignIn={onSignIn} />
      )}
    </>
  );
}

function TokenBox({
  onSignIn,
  open = false,
}: {
  readonly onSignIn: (session: Session) => void;
  readonly open?: boolean;
}) {
  return (
    <details className="paste" open={open}>
      <summary>{t('signIn.ownToken')}</summary>
      <TokenForm onSignIn={onSignIn} />
    </details>
  );
}

/** For development clusters, which have no provider and no demo users. */
function ClusterTokenBox({
  access,
  onSignIn,
}: {
  readonly access: Access;
  readonly onSignIn: (session: Session) => void;
}) {
  const state = useStore(access);
  return state.kind === 'none' && state.tokenBox ? <TokenBox onSignIn={onSignIn} open={true} /> : null;
}

function TokenForm({ onSignIn }: { readonly onSignIn: (session: Session) => void }) {
  const id = useId();
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState('');

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    try {
      onSignIn(sessionFromToken(token));
    } catch (err) {
      setProblem(messageOf(err));
    }
  }

  return (
    <form className="token-form" onSubmit={submit}>
      <label htmlFor={id}>{t('signIn.token')}</label>
      <textarea
        id={id}
        className="input"
        rows={4}
        spellCheck={false}
        autoComplete="off"
        required={true}
        value={token}
        onChange={(event) => setToken(event.target.value)}
        aria-invalid={problem !== ''}
        aria-describedby={`${id}-problem`}
      />
      {problem !== '' && (
        <p id={`${id}-problem`} className="field-problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" className="button button-primary">
        {t('signIn.submit')}
      </button>
    </form>
  );
}
