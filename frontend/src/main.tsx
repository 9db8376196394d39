import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './components/App';
import { keepPage, reloadWhenOutdated } from './services/appShell';
import { provider } from './services/provider';
import { keepIn, renewed, type Session } from './services/session';
import { pageSettings } from './services/settings';
import { sharingIn } from './services/sharedStream';
import { signOutsIn } from './services/signOuts';
import { access } from './store/access';
import { alerts } from './store/alerts';
import { openClient } from './store/client';
import { clock } from './store/clock';
import { demoUsersStore } from './store/demoUsers';
import { keepListIn } from './store/keptList';
import { followBusiness, startLanguage } from './store/language';
import { network } from './store/network';
import { place } from './store/place';
import { wakeLock } from './store/wakeLock';
import './styles/base.css';
import './styles/controls.css';
import './styles/layout.css';
import './styles/new-order.css';
import './styles/orders.css';
import './styles/compact.css';
import './styles/table.css';
import './styles/today.css';
import './styles/preferences.css';
import './styles/access.css';
import './styles/print.css';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element #root');

const fetcher = window.fetch.bind(window);
reloadWhenOutdated(window);
await startLanguage();

const ways = access(async () => {
  const settings = await pageSettings(fetcher);
  return { ...settings, provider: settings.provider && provider(settings.provider, fetcher, window) };
});
const arrived = await ways.finish(window);

const device = { wakeLock: wakeLock(window), network: network(window), alerts: alerts(window) };

const client = openClient({
  fetch: fetcher,
  keeper: keepIn(window.sessionStorage, window.localStorage),
  origin: window.location.origin,
  renew: (session: Session) => (session.by === 'provider' ? ways.renew(session) : renewed(fetcher, session)),
  onSignOut: (session) => {
    // Without a network, sign out this till anyway. The provider's session then expires by its own rules.
    if (session.by === 'provider' && window.navigator.onLine) ways.signOut(session).catch(() => undefined);
  },
  network: device.network,
  sharing: (name) => sharingIn(window, name),
  listOf: (session, isKept) =>
    keepListIn(session.stays === true ? window.localStorage : window.sessionStorage, session, isKept),
  ...(typeof BroadcastChannel === 'undefined'
    ? {}
    : { signOuts: signOutsIn((name) => new BroadcastChannel(name)) }),
});

if (arrived !== undefined) {
  window.history.replaceState(null, '', `/#${arrived.returnTo}`);
  client.signIn(arrived.session);
}

// Timers are late after a device has slept, so also act when the user returns.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') retryNow();
});

client.subscribe(() => {
  const state = client.getSnapshot();
  if (state.kind === 'signed_in') state.feed.tenant.subscribe(follow);
});
follow();

createRoot(root).render(
  <StrictMode>
    <App
      client={client}
      demoUsers={demoUsersStore(fetcher)}
      clock={clock()}
      place={place(window)}
      device={device}
      access={ways}
    />
  </StrictMode>,
);

if (import.meta.env.PROD) void keepPage(window);

function retryNow(): void {
  const state = client.getSnapshot();
  if (state.kind === 'signed_in') state.feed.retryNow();
}

function follow(): void {
  const state = client.getSnapshot();
  const tenant = state.kind === 'signed_in' ? state.feed.tenant.getSnapshot() : undefined;
  if (tenant?.kind === 'ready') void followBusiness(tenant.tenant.locale);
}
