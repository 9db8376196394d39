import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './components/App';
import { keepIn } from './services/session';
import { sharingIn } from './services/sharedStream';
import { openClient } from './store/client';
import { clock } from './store/clock';
import { followBusiness, startLanguage } from './store/language';
import { network } from './store/network';
import { peopleStore } from './store/people';
import { place } from './store/place';
import './styles/base.css';
import './styles/controls.css';
import './styles/layout.css';
import './styles/new-order.css';
import './styles/orders.css';
import './styles/compact.css';
import './styles/table.css';
import './styles/preferences.css';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element #root');

const fetcher = window.fetch.bind(window);
await startLanguage();

const client = openClient({
  fetch: fetcher,
  keeper: keepIn(window.sessionStorage),
  origin: window.location.origin,
  network: network(window),
  sharing: (name) => sharingIn(window, name),
});

// Timers of a sleeping device run late: the user's return is the better moment.
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
    <App client={client} people={peopleStore(fetcher)} clock={clock()} place={place(window)} />
  </StrictMode>,
);

function retryNow(): void {
  const state = client.getSnapshot();
  if (state.kind === 'signed_in') state.feed.retryNow();
}

function follow(): void {
  const state = client.getSnapshot();
  const tenant = state.kind === 'signed_in' ? state.feed.tenant.getSnapshot() : undefined;
  if (tenant?.kind === 'ready') void followBusiness(tenant.tenant.locale);
}
