/** Calls of the APIs as the signed-in user. */
import { pause } from './pause';
import { call, type Fetch, Problem } from './problem';

/** The token for each call, read each time. `renew` gets a new one after a 401, and returns false if it cannot. */
export interface Credentials {
  token(): string;
  renew(): Promise<boolean>;
}

/** Like `call`, with the token; after a 401 it retries once with a new one. */
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

/** Milliseconds before the second and the third attempt of a request. */
const retryDelays = [1000, 3000];

/**
 * Retries a request with an Idempotency-Key if there was no response, or if a proxy says that the server is unreachable.
 * The key makes this safe: the first attempt may have been applied and its response lost.
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

/** Whether there was no response, or a proxy said that the server is unreachable: a later attempt may succeed. */
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
