/** HTTP calls to the origin, each with a time limit, and their errors as RFC 9457 problems. */
import { currentLanguage, type Key, t } from '../i18n/words';
import { fields, list, optionalText, WireError } from '../model/wire';

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export interface FieldProblem {
  readonly field: string;
  readonly detail: string;
}

/** An error response. `message` is for users. */
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
 * Fetches and returns the complete response if its status is 2xx or 304. Throws a Problem otherwise, and after
 * `longestRequest`: a browser without a free connection would let a request wait for ever.
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

/** The answer with its whole body, so that the time limit applies to the body too. */
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

/** Reads a JSON response. An incomplete body is a Problem, as if there was no response. */
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
    const detail = optionalText(of, 'detail', 'problem') || optionalText(of, 'title', 'problem') || fallback;
    const isLimit = optionalText(of, 'limit', 'problem') !== '';
    return new Problem(
      response.status,
      refusal(response.status, isLimit, detail),
      errors.map(inPageLanguage),
    );
  } catch {
    return new Problem(response.status, fallback); // an error page with the media type of a problem
  }
}

/** The texts of refusals by status: the problems have no types of their own. */
const refusals: Readonly<Record<number, Key>> = {
  400: 'refused.invalid',
  401: 'refused.signIn',
  403: 'refused.role',
  404: 'refused.missing',
  409: 'refused.conflict',
  412: 'refused.overtaken',
  413: 'refused.invalid',
  422: 'refused.invalid',
  429: 'refused.often',
  500: 'refused.fault',
  502: 'refused.away',
  503: 'refused.away',
  504: 'refused.away',
};

/**
 * A refusal in the page's language. The server's details are in English, so an English page shows them. In other languages, and
 * for internal errors of the server, the page shows a general text.
 */
function refusal(status: number, isLimit: boolean, detail: string): string {
  const key = isLimit ? 'refused.limit' : refusals[status];
  if (key === undefined || (isEnglish() && status < 500)) return detail;
  return t(key);
}

function inPageLanguage({ field, detail }: FieldProblem): FieldProblem {
  return { field, detail: isEnglish() ? detail : t('refused.field') };
}

function isEnglish(): boolean {
  return currentLanguage.getSnapshot() === 'en';
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
