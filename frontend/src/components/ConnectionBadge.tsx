import { useStore } from '../hooks/useStore';
import type { ConnectionState } from '../services/sse';
import type { Observable } from '../store/observable';

export interface ConnectionBadgeProps {
  readonly connection: Observable<ConnectionState>;
  readonly onRetry: () => void;
}

/** Whether what the page shows is what is so. */
export function ConnectionBadge({ connection, onRetry }: ConnectionBadgeProps) {
  const state = useStore(connection);
  return (
    <div className="connection">
      <p
        className={`badge badge-${state.kind}`}
        role="status"
        data-testid="connection"
        data-state={state.kind}
      >
        {describe(state)}
      </p>
      {state.kind === 'stale' && state.reason !== 'overloaded' && (
        <button type="button" className="button button-quiet" onClick={onRetry}>
          Retry now
        </button>
      )}
    </div>
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
