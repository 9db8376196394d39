/** The two functions that React's useSyncExternalStore needs. Every store has them. */
export interface Observable<T> {
  getSnapshot(): T;
  subscribe(listener: () => void): () => void;
}

/** Tells listeners once per burst of changes: a replay of 500 frames arrives in one chunk and renders once. */
export interface Announcer {
  subscribe(listener: () => void): () => void;
  announce(): void;
}

export function announcer(): Announcer {
  const listeners = new Set<() => void>();
  let due = false;
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    announce() {
      if (due) return;
      due = true;
      queueMicrotask(() => {
        due = false;
        for (const listener of listeners) listener();
      });
    },
  };
}
