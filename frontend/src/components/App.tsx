import { lazy, useCallback, useEffect, useState } from 'react';
import { Route, Router, Switch, useLocation } from 'wouter';
import { PlaceContext, useHashPath } from '../hooks/usePlace';
import { useStore } from '../hooks/useStore';
import { currentLanguage, t } from '../i18n/words';
import { mayLead, maySell } from '../model/order';
import { orderPattern, routes } from '../paths';
import type { Session } from '../services/session';
import type { Access } from '../store/access';
import type { Alerts } from '../store/alerts';
import type { Client } from '../store/client';
import type { DemoUsersStore } from '../store/demoUsers';
import { keepDraftIn } from '../store/draft';
import type { Feed } from '../store/feed';
import type { Observable } from '../store/observable';
import type { Place } from '../store/place';
import { shortcutStore } from '../store/shortcuts';
import type { WakeLock } from '../store/wakeLock';
import { Later } from './Later';
import { NewOrder } from './NewOrder';
import { OrderList } from './OrderList';
import { Shortcuts } from './Shortcuts';
import { SignIn } from './SignIn';
import { TopBar } from './TopBar';
import { notificationText } from './texts';

const PreferencesPage = lazy(async () => ({ default: (await import('./PreferencesPage')).PreferencesPage }));
const DevicePreferences = lazy(async () => ({
  default: (await import('./PreferencesPage')).DevicePreferences,
}));
const StaffPage = lazy(async () => ({ default: (await import('./StaffPage')).StaffPage }));
const DevicesPage = lazy(async () => ({ default: (await import('./DevicesPage')).DevicesPage }));
const ConfirmDialog = lazy(async () => ({ default: (await import('./ConfirmDialog')).ConfirmDialog }));
const OrderPage = lazy(async () => ({ default: (await import('./OrderPage')).OrderPage }));

const TodayPage = lazy(async () => ({ default: (await import('./TodayPage')).TodayPage }));
const BusinessPage = lazy(async () => ({ default: (await import('./BusinessPage')).BusinessPage }));

export interface AppProps {
  readonly client: Client;
  readonly demoUsers: DemoUsersStore;
  readonly clock: Observable<number>;
  readonly place: Place;
  readonly device: Device;
  /** The ways to sign in outside development. */
  readonly access?: Access;
}

/** The settings of this device, for all users who sign in on it. */
export interface Device {
  readonly wakeLock: WakeLock;
  readonly network: Observable<boolean>;
  readonly alerts: Alerts;
}

export function App({ client, demoUsers, clock, place, device, access }: AppProps) {
  const state = useStore(client);
  const language = useStore(currentLanguage);
  if (state.kind === 'signed_out') {
    return (
      <SignIn
        key={language}
        demoUsers={demoUsers}
        reason={state.reason}
        onSignIn={client.signIn}
        {...(access === undefined ? {} : { access: { access, returnTo: place.getSnapshot() } })}
      />
    );
  }
  // The key mounts a new page for another user, so that a half-typed order cannot reach another tenant.
  const { session, feed } = state;
  return (
    <PlaceContext value={place}>
      <Router hook={useHashPath} hrefs={useHashPath.hrefs}>
        <Workspace
          key={`${session.tenantId} ${session.email} ${language}`}
          {...{ session, feed, demoUsers, clock, device }}
          onSignIn={client.signIn}
          onSignOut={client.signOut}
        />
      </Router>
    </PlaceContext>
  );
}

const shortcutsUsed = shortcutStore(window.localStorage);

interface WorkspaceProps {
  readonly session: Session;
  readonly feed: Feed;
  readonly demoUsers: DemoUsersStore;
  readonly clock: Observable<number>;
  readonly device: Device;
  readonly onSignIn: (session: Session) => void;
  readonly onSignOut: () => void;
}

/** The page of a user who is signed in. */
function Workspace({ session, feed, demoUsers, clock, device, onSignIn, onSignOut }: WorkspaceProps) {
  const { unread } = useStore(feed.inbox);
  const tenant = useStore(feed.tenant);
  const tenantName = tenant.kind === 'ready' ? tenant.tenant.name : session.tenantName;
  const currency = tenant.kind === 'ready' ? tenant.tenant.currency : session.currency;
  const [areKeysShown, setKeysShown] = useState(false);
  const [isLeaving, setLeaving] = useState(false);
  const [path, goTo] = useLocation();
  const showKeys = useCallback(() => setKeysShown(true), []);
  const goToOrders = useCallback(() => goTo(routes.orders), [goTo]);
  useEffect(
    () =>
      feed.onNotification((told) =>
        device.alerts.ring({ text: notificationText(told), path: routes.order(told.order.orderId) }),
      ),
    [feed, device],
  );
  useEffect(() => {
    device.alerts.count(unread);
    return () => device.alerts.count(0); // no unread notifications after signing out
  }, [device, unread]);
  const sells = maySell(session.roles);
  const leads = mayLead(session.roles);
  return (
    <>
      <title>{`${unread > 0 ? `(${String(unread)}) ` : ''}${tenantName} · Orderbell`}</title>
      <TopBar
        {...{ session, tenantName, feed, demoUsers, clock, onSignIn }}
        onSignOut={session.by === 'device' ? () => setLeaving(true) : onSignOut}
        onKeys={showKeys}
      />
      {isLeaving && (
        <Later>
          <ConfirmDialog
            title={t('devices.leaveAsk')}
            keep={t('devices.stay')}
            onKeep={() => setLeaving(false)}
            confirm={t('account.signOut')}
            onConfirm={onSignOut}
          >
            <p>{t('devices.leaveDetail')}</p>
          </ConfirmDialog>
        </Later>
      )}
      <Shortcuts store={shortcutsUsed} onOrders={goToOrders} isOpen={areKeysShown} onOpen={setKeysShown} />
      <Later at={path} fallback={<p className="page">{t('loading')}</p>}>
        <Switch>
          <Route path={routes.preferences}>
            {session.by === 'device' ? (
              <DevicePreferences device={device} />
            ) : (
              <PreferencesPage store={feed.preferences} device={device} />
            )}
          </Route>
          {leads && (
            <Route path={routes.today}>
              <TodayPage feed={feed} />
            </Route>
          )}
          {session.roles.includes('owner') && (
            <Route path={routes.business}>
              <BusinessPage store={feed.tenant} />
            </Route>
          )}
          {leads && (
            <Route path={routes.staff}>
              <StaffPage ask={feed.ask} session={session} />
            </Route>
          )}
          {leads && (
            <Route path={routes.devices}>
              <DevicesPage ask={feed.ask} clock={clock} />
            </Route>
          )}
          <Route path={orderPattern}>
            {({ id }) => <OrderPage key={id} {...{ id, feed, clock, tenantName }} roles={session.roles} />}
          </Route>
          <Route>
            <main className={sells ? 'page page-with-form' : 'page'}>
              {sells && (
                <NewOrder
                  create={feed.create}
                  businessCurrency={currency}
                  network={device.network}
                  draft={keepDraftIn(window.sessionStorage, session.tenantId, session.email)}
                />
              )}
              <OrderList feed={feed} roles={session.roles} clock={clock} />
            </main>
          </Route>
        </Switch>
      </Later>
    </>
  );
}
