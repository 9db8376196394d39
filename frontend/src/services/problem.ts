/** HTTP calls to the origin, each with a time limit, and their errors as RFC 9457 problems. */
import { t } from '../i18n/words';
import { fields, list, optionalText, WireError } from '../model/wire';

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export interface FieldProblem {
  readonly field: string;
  readonly detail: string;
}

/** An answer that is an error. `message` is for people. */
export class Problem extends Error {
  override readonly name = 'Problem';
  /** The HTTP status, or 0 if no answer came. */
  readonly status: number;
  readonly errors: readonly FieldProblem[];

  constructor(status: number, message: string, errors: readonly FieldProblem[] = [], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.errors = errors;
  }
}

/** The longest that one request may take, its answer's body included. */
export const longestRequest = 10_000;

/**
 * Fetches and returns the answer, read to its end, if its status is 2xx or 304; throws a Problem otherwise, also if no
 * answer came in time. A browser without a free connection lets a request wait for ever: nothing here waits longer than
 * `longestRequest`.
 */
export async function call(fetcher: Fetch, url: string, init: RequestInit): Promise<Response> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), longestRequest);
  const { signal: outer } = init;
  const signal = outer == null ? limit.signal : AbortSignal.any([outer, limit.signal]);
  let response: Response;
  try {
    response = await whole(await unlessAborted(fetcher(url, { ...init, signal }), signal), signal);
  } catch (err) {
    if (outer?.aborted === true) throw err;
    if (limit.signal.aborted) {
      throw new Problem(0, t('problem.timeout', { seconds: longestRequest / 1000 }), [], err);
    }
    if (err instanceof Problem) throw err;
    throw new Problem(0, t('problem.unreachable'), [], err);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok || response.status === 304) return response;
  throw await problemOf(response);
}

/** The answer with all of its body, so that the time limit holds for the body too. */
async function whole(response: Response, signal: AbortSignal): Promise<Response> {
  const { status, statusText, headers } = response;
  if (response.body === null) return response;
  let body: string;
  try {
    body = await unlessAborted(response.text(), signal);
  } catch (err) {
    throw new Problem(0, t('problem.unreadable'), [], err);
  }
  // An answer such as 204 has no body, and a Response of that status takes none, not even an empty one.
  return new Response(body === '' ? null : body, { status, statusText, headers });
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Reads a JSON answer; a body cut short is a Problem as no answer is. */
export async function readJSON(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (err) {
    throw new Problem(0, t('problem.unreadable'), [], err);
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const fallback = t('problem.status', {
    status: `${String(response.status)} ${response.statusText}`.trimEnd(),
  });
  if (!(response.headers.get('Content-Type') ?? '').startsWith('application/problem+json')) {
    return new Problem(response.status, fallback);
  }
  try {
    const of = fields(await response.json(), 'problem');
    const errors = of['errors'] === undefined ? [] : list(of['errors'], 'problem.errors', parseFieldProblem);
    const message = optionalText(of, 'detail', 'problem') || optionalText(of, 'title', 'problem') || fallback;
    return new Problem(response.status, message, errors);
  } catch {
    return new Problem(response.status, fallback); // an error page that only claims to be a problem
  }
}

function parseFieldProblem(value: unknown, where: string): FieldProblem {
  const of = fields(value, where);
  return { field: optionalText(of, 'field', where), detail: optionalText(of, 'detail', where) };
}

/** What to tell a user about any error. */
export function messageOf(err: unknown): string {
  if (err instanceof Problem) return err.message;
  if (err instanceof WireError) return t('problem.unexpected', { detail: err.message });
  return err instanceof Error ? err.message : String(err);
}
