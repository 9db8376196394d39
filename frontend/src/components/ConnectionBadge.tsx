import { useStore } from '../hooks/useStore';
import type { ConnectionState } from '../services/sse';
import type { Observable } from '../store/observable';

/** Whether what the page shows is what is so. */
export function ConnectionBadge({ connection }: { readonly connection: Observable<ConnectionState> }) {
  const state = useStore(connection);
  return (
    <p className={`badge badge-${state.kind}`} role="status" data-testid="connection" data-state={state.kind}>
      <span className="badge-text">{describe(state)}</span>
    </p>
  );
}

function describe(state: ConnectionState): string {
  switch (state.kind) {
    case 'live':
      return 'Live';
    case 'connecting':
      return state.attempt === 0 ? 'Connecting…' : 'Reconnecting…';
    case 'stale':
      return state.reason === 'overloaded' ? 'Server is busy…' : 'Reconnecting…';
    case 'closed':
      return 'Not connected';
  }
}
