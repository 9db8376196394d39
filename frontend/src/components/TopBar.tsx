import type { MouseEvent } from 'react';
import { Link } from 'wouter';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { mayLead } from '../model/order';
import { routes } from '../paths';
import type { Session } from '../services/session';
import type { DemoUsersStore } from '../store/demoUsers';
import type { Feed } from '../store/feed';
import type { Observable } from '../store/observable';
import { ConnectionBadge } from './ConnectionBadge';
import { BellIcon, UserIcon } from './Icons';
import { LanguageChoice } from './LanguageChoice';
import { Name } from './Name';
import { NewsLine } from './NewsLine';
import { NotificationPanel } from './NotificationPanel';
import { Say } from './Say';
import { rolesText } from './texts';

export interface TopBarProps {
  readonly session: Session;
  readonly tenantName: string;
  readonly feed: Feed;
  readonly demoUsers: DemoUsersStore;
  readonly clock: Observable<number>;
  readonly onSignIn: (session: Session) => void;
  readonly onSignOut: () => void;
  /** Shows the list of keyboard shortcuts. */
  readonly onKeys: () => void;
}

export function TopBar(props: TopBarProps) {
  const { session, tenantName, feed, demoUsers, clock, onSignIn, onSignOut, onKeys } = props;
  return (
    <header className="top">
      <button type="button" className="skip" onClick={skip}>
        {t('skip')}
      </button>
      <div className="top-bar">
        <p className="brand">
          <BellIcon />
          <span className="brand-name">Orderbell</span>
        </p>
        <h1 className="tenant-name">
          <Name of={tenantName} />
        </h1>
        <ConnectionBadge freshness={feed.freshness} />
        <NotificationPanel inbox={feed.inbox} clock={clock} />
        <button type="button" className="round-button" popoverTarget="account-menu" aria-haspopup="true">
          <UserIcon />
          <span className="hidden">
            <Say id="account.of" name={<Name of={session.name} />} />
          </span>
        </button>
        <AccountMenu {...{ session, demoUsers, onSignIn, onSignOut, onKeys }} />
      </div>
      <NewsLine feed={feed} />
    </header>
  );
}

/** The router owns the address, so the skip link only moves the focus. */
function skip(): void {
  const target = document.querySelector<HTMLElement>('#orders, main');
  target?.setAttribute('tabindex', '-1');
  target?.focus();
}

function closePanel(event: MouseEvent<HTMLElement>): void {
  event.currentTarget.closest<HTMLElement>('[popover]')?.hidePopover();
}

type AccountMenuProps = Pick<TopBarProps, 'session' | 'demoUsers' | 'onSignIn' | 'onSignOut' | 'onKeys'>;

function AccountMenu({ session, demoUsers, onSignIn, onSignOut, onKeys }: AccountMenuProps) {
  const state = useStore(demoUsers);
  return (
    <section id="account-menu" className="panel" popover="auto" aria-label={t('account')}>
      <p className="panel-head">
        <strong>
          <Name of={session.name} />
        </strong>
        {session.email !== '' && <span className="faint">{session.email}</span>}
        <span className="faint">{rolesText(session.roles)}</span>
      </p>
      <MenuLink href={routes.preferences} title={t('preferences.title')} />
      {mayLead(session.roles) && <MenuLink href={routes.today} title={t('today.title')} />}
      {session.roles.includes('owner') && <MenuLink href={routes.business} title={t('business.title')} />}
      {mayLead(session.roles) && <MenuLink href={routes.staff} title={t('staff.title')} />}
      {mayLead(session.roles) && <MenuLink href={routes.devices} title={t('devices.title')} />}
      <LanguageChoice />
      {state.kind === 'users' && (
        <>
          <h2 className="panel-title">{t('account.switch')}</h2>
          {state.tenants.map((tenant) => (
            <section key={tenant.id} aria-label={tenant.name}>
              <h3 className="faint">
                <Name of={tenant.name} />
              </h3>
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
                        <Name of={user.name} /> <span className="faint">{rolesText(user.roles)}</span>
                      </button>
                    </li>
                  );
                })}
              </ul>
            </section>
          ))}
        </>
      )}
      <button
        type="button"
        className="switch"
        popoverTarget="account-menu"
        popoverTargetAction="hide"
        onClick={onKeys}
      >
        {t('keys.open')}
      </button>
      <button
        type="button"
        className="button button-wide"
        popoverTarget="account-menu"
        popoverTargetAction="hide"
        onClick={onSignOut}
      >
        {t('account.signOut')}
      </button>
    </section>
  );
}

function MenuLink({ href, title }: { readonly href: string; readonly title: string }) {
  return (
    <p>
      <Link className="switch switch-link" href={href} onClick={closePanel}>
        {title}
      </Link>
    </p>
  );
}
