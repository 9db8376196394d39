import { type SubmitEvent, useId, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { messageOf } from '../services/problem';
import { type Session, sessionFromToken } from '../services/session';
import type { PeopleStore } from '../store/people';
import { BellIcon } from './Icons';

export interface SignInProps {
  readonly people: PeopleStore;
  /** Why the person is here again; may be empty. */
  readonly notice: string;
  readonly onSignIn: (session: Session) => void;
}

export function SignIn({ people, notice, onSignIn }: SignInProps) {
  const state = useStore(people);
  return (
    <main className="sign-in">
      <title>Sign in · Orderbell</title>
      <header className="sign-in-head">
        <BellIcon />
        <h1>Orderbell</h1>
      </header>
      {notice !== '' && (
        <p className="notice" role="alert">
          {notice}
        </p>
      )}
      {state.kind === 'loading' && <p role="status">Looking for demo users…</p>}
      {state.kind === 'failed' && (
        <p className="notice" role="alert">
          {state.message}{' '}
          <button type="button" className="button button-quiet" onClick={people.load}>
            Try again
          </button>
        </p>
      )}
      {state.kind === 'users' && (
        <>
          <p className="lead">This is a development server. Sign in as one of its people:</p>
          {state.tenants.map((tenant) => (
            <section key={tenant.id} className="tenant" aria-labelledby={`tenant-${tenant.id}`}>
              <h2 id={`tenant-${tenant.id}`}>{tenant.name}</h2>
              <ul className="people">
                {tenant.users.map((user) => (
                  <li key={user.email}>
                    <button type="button" className="person" onClick={() => onSignIn(user)}>
                      <span className="person-name">{user.name}</span>{' '}
                      <span className="person-roles">{user.roles.join(', ')}</span>{' '}
                      <span className="person-email">{user.email}</span>
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </>
      )}
      <details className="paste" open={state.kind === 'none' || state.kind === 'failed'}>
        <summary>Use an access token</summary>
        <TokenForm onSignIn={onSignIn} />
      </details>
    </main>
  );
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
      <label htmlFor={id}>Access token</label>
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
        Sign in
      </button>
    </form>
  );
}
