import type { MouseEvent } from 'react';
import { useStore } from '../hooks/useStore';
import type { Session } from '../services/session';
import type { Feed } from '../store/feed';
import type { Observable } from '../store/observable';
import type { PeopleStore } from '../store/people';
import { preferencesAddress } from '../store/place';
import { ConnectionBadge } from './ConnectionBadge';
import { BellIcon, PersonIcon } from './Icons';
import { NotificationPanel } from './NotificationPanel';

export interface TopBarProps {
  readonly session: Session;
  readonly feed: Feed;
  readonly people: PeopleStore;
  readonly clock: Observable<number>;
  readonly onSignIn: (session: Session) => void;
  readonly onSignOut: () => void;
}

export function TopBar({ session, feed, people, clock, onSignIn, onSignOut }: TopBarProps) {
  return (
    <header className="top-bar">
      <p className="brand">
        <BellIcon />
        <span className="brand-name">Orderbell</span>
      </p>
      <h1 className="tenant-name">{session.tenantName}</h1>
      <ConnectionBadge connection={feed.connection} />
      <NotificationPanel inbox={feed.inbox} clock={clock} />
      <button type="button" className="round-button" popoverTarget="person-menu" aria-haspopup="true">
        <PersonIcon />
        <span className="hidden">Account of {session.name}</span>
      </button>
      <PersonMenu {...{ session, people, onSignIn, onSignOut }} />
    </header>
  );
}

function closePanel(event: MouseEvent<HTMLElement>): void {
  event.currentTarget.closest<HTMLElement>('[popover]')?.hidePopover();
}

type PersonMenuProps = Pick<TopBarProps, 'session' | 'people' | 'onSignIn' | 'onSignOut'>;

function PersonMenu({ session, people, onSignIn, onSignOut }: PersonMenuProps) {
  const state = useStore(people);
  return (
    <section id="person-menu" className="panel" popover="auto" aria-label="Account">
      <p className="panel-head">
        <strong>{session.name}</strong>
        <span className="faint">{session.email}</span>
        <span className="faint">{session.roles.join(', ')}</span>
      </p>
      <p>
        <a className="switch switch-link" href={preferencesAddress} onClick={closePanel}>
          What you are told of
        </a>
      </p>
      {state.kind === 'users' && (
        <>
          <h2 className="panel-title">Switch to</h2>
          {state.tenants.map((tenant) => (
            <section key={tenant.id} aria-label={tenant.name}>
              <h3 className="faint">{tenant.name}</h3>
              <ul className="switch-list">
                {tenant.users.map((user) => {
                  const isSelf = user.tenantId === session.tenantId && user.email === session.email;
                  return (
                    <li key={user.email}>
                      <button
                        type="button"
                        className="switch"
                        aria-current={isSelf ? 'true' : undefined}
                        disabled={isSelf}
                        onClick={() => onSignIn(user)}
                      >
                        {user.name} <span className="faint">{user.roles.join(', ')}</span>
                      </button>
                    </li>
                  );
                })}
              </ul>
            </section>
          ))}
        </>
      )}
      <button type="button" className="button button-wide" onClick={onSignOut}>
        Sign out
      </button>
    </section>
  );
}
