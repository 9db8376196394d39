import { useStore } from '../hooks/useStore';
import { maySell } from '../model/order';
import type { Client } from '../services/client';
import type { Session } from '../services/session';
import type { Feed } from '../store/feed';
import type { Observable } from '../store/observable';
import type { PeopleStore } from '../store/people';
import type { Place } from '../store/place';
import { NewOrder } from './NewOrder';
import { OrderList } from './OrderList';
import { PreferencesPage } from './PreferencesPage';
import { SignIn } from './SignIn';
import { Toasts } from './Toasts';
import { TopBar } from './TopBar';

export interface AppProps {
  readonly client: Client;
  readonly people: PeopleStore;
  readonly clock: Observable<number>;
  readonly place: Observable<Place>;
}

export function App({ client, people, clock, place }: AppProps) {
  const state = useStore(client);
  if (state.kind === 'signed_out') {
    return <SignIn people={people} notice={state.notice} onSignIn={client.signIn} />;
  }
  // The key makes another person's page a new page: no half-typed order goes over to another tenant.
  const { session, feed } = state;
  return (
    <Counter
      key={`${session.tenantId} ${session.email}`}
      {...{ session, feed, people, clock, place }}
      onSignIn={client.signIn}
      onSignOut={client.signOut}
    />
  );
}

interface CounterProps {
  readonly session: Session;
  readonly feed: Feed;
  readonly people: PeopleStore;
  readonly clock: Observable<number>;
  readonly place: Observable<Place>;
  readonly onSignIn: (session: Session) => void;
  readonly onSignOut: () => void;
}

function Counter({ session, feed, people, clock, place, onSignIn, onSignOut }: CounterProps) {
  const { orders } = useStore(feed.store);
  const { unread } = useStore(feed.inbox);
  const where = useStore(place);
  const sells = maySell(session.roles);
  return (
    <>
      <title>{`${unread > 0 ? `(${String(unread)}) ` : ''}${session.tenantName} · Orderbell`}</title>
      {where === 'orders' && (
        <a className="skip" href="#orders">
          Skip to the orders
        </a>
      )}
      <TopBar {...{ session, feed, people, clock, onSignIn, onSignOut }} />
      {where === 'preferences' ? (
        <PreferencesPage store={feed.preferences} />
      ) : (
        <main className={sells ? 'page page-with-form' : 'page'}>
          {sells && (
            <NewOrder
              create={feed.create}
              suggestedCurrency={(orders[0]?.currency ?? session.currency) || 'IDR'}
            />
          )}
          <OrderList feed={feed} roles={session.roles} clock={clock} />
        </main>
      )}
      <Toasts feed={feed} />
    </>
  );
}
