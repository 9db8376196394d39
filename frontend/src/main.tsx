import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './components/App';
import { openClient } from './services/client';
import { keepIn } from './services/session';
import { clock } from './store/clock';
import { peopleStore } from './store/people';
import { place } from './store/place';
import './styles/base.css';
import './styles/controls.css';
import './styles/layout.css';
import './styles/orders.css';
import './styles/preferences.css';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element #root');

const fetcher = window.fetch.bind(window);
const client = openClient({
  fetch: fetcher,
  keeper: keepIn(window.sessionStorage),
  origin: window.location.origin,
});

// Timers of a sleeping device run late: the network or the person being back is the better moment.
window.addEventListener('online', retryNow);
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') retryNow();
});

createRoot(root).render(
  <StrictMode>
    <App client={client} people={peopleStore(fetcher)} clock={clock()} place={place(window)} />
  </StrictMode>,
);

function retryNow(): void {
  const state = client.getSnapshot();
  if (state.kind === 'signed_in') state.feed.retryNow();
}
