/** A list that owners and managers edit, such as users. It is loaded again after each change. */
import { messageOf, Problem } from '../services/problem';
import { announcer, type Observable } from './observable';

export type ManagedState<Item> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'ready'; readonly items: readonly Item[] };

export interface ManagedStore<Item, Client> extends Observable<ManagedState<Item>> {
  load(): Promise<void>;
  /** Loads the list again. The current list stays if there is no response. */
  refresh(): Promise<void>;
  /** Makes a change and loads the list again. Returns why it was refused, or "". */
  make(change: (client: Client) => Promise<void>): Promise<string>;
}

/** `refusalOf` returns why a change was refused, in the user's language for common reasons. */
export function managedStore<Item, Client extends { load(): Promise<Item[]> }>(
  client: Client,
  refusalOf: (problem: Problem) => string,
): ManagedStore<Item, Client> {
  const { subscribe, announce } = announcer();
  let state: ManagedState<Item> = { kind: 'loading' };
  let latest = 0;

  return {
    subscribe,
    getSnapshot: () => state,
    load,
    async refresh() {
      const next = await read();
      if (next?.kind === 'ready' || state.kind !== 'ready') become(next);
    },
    async make(change) {
      try {
        await change(client);
        await load();
        return '';
      } catch (err) {
        if (!(err instanceof Problem)) return messageOf(err);
        if ([404, 412].includes(err.status)) await load();
        return refusalOf(err);
      }
    },
  };

  async function load(): Promise<void> {
    become(await read());
  }

  /** undefined if another load has begun meanwhile: this one may be older than a change. */
  async function read(): Promise<ManagedState<Item> | undefined> {
    latest += 1;
    const own = latest;
    let next: ManagedState<Item>;
    try {
      next = { kind: 'ready', items: await client.load() };
    } catch (err) {
      next = { kind: 'failed', message: messageOf(err) };
    }
    return own === latest ? next : undefined;
  }

  function become(next: ManagedState<Item> | undefined): void {
    if (next === undefined) return;
    state = next;
    announce();
  }
}
