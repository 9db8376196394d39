/** Calls of the APIs by a person who is signed in. */
import { pause } from './pause';
import { call, type Fetch, Problem } from './problem';

/** Whose token goes with each call, read again each time. `renew` gets another one after a 401, false if it cannot. */
export interface Credentials {
  token(): string;
  renew(): Promise<boolean>;
}

/** Fetches as `call` does, with the token; once more with a fresh one if it is no longer good. */
export type Ask = (path: string, init?: RequestInit) => Promise<Response>;

export function authorized(fetcher: Fetch, credentials: Credentials): Ask {
  return async (path, init = {}) => {
    try {
      return await call(fetcher, path, withToken(init));
    } catch (err) {
      if (!(err instanceof Problem) || err.status !== 401 || !(await credentials.renew())) throw err;
      return call(fetcher, path, withToken(init));
    }
  };

  function withToken(init: RequestInit): RequestInit {
    return {
      ...init,
      headers: {
        Accept: 'application/json',
        ...(init.headers as Record<string, string> | undefined),
        Authorization: `Bearer ${credentials.token()}`,
      },
    };
  }
}

/** Milliseconds before the second and the third try of a request. */
const retryDelays = [1000, 3000];

/**
 * Tries a request that carries an Idempotency-Key again if no answer came, or if a server says that it is out of reach.
 * The key makes this safe: the first try may have had its effect, and its answer may have been lost.
 */
export function retrying(ask: Ask): Ask {
  return async (path, init) => {
    for (const delay of retryDelays) {
      try {
        return await ask(path, init);
      } catch (err) {
        if (!isAway(err)) throw err;
        await pause(delay).over;
      }
    }
    return ask(path, init);
  };
}

/** Whether no answer came, or a server said that it is out of reach: a later try may do better. */
export function isAway(err: unknown): boolean {
  return err instanceof Problem && [0, 502, 503, 504].includes(err.status);
}

/** A request with a JSON body, or without any. */
export function sending(
  method: 'POST' | 'PATCH',
  body?: unknown,
  headers: Record<string, string> = {},
): RequestInit {
  if (body === undefined) return { method, headers };
  return { method, headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}
