/** Calls of the APIs by a person who is signed in. */
import { call, type Fetch, Problem } from './problem';

/** Whose token goes with each call, read anew each time. `renew` gets another one after a 401, false if it cannot. */
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

/** A request with a JSON body, or without any. */
export function sending(
  method: 'POST' | 'PATCH',
  body?: unknown,
  headers: Record<string, string> = {},
): RequestInit {
  if (body === undefined) return { method, headers };
  return { method, headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}
