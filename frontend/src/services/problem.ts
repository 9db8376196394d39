/** HTTP calls to the origin and their errors as RFC 9457 problems. */
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

/** Fetches and returns the answer if its status is 2xx or 304; throws a Problem otherwise, also if none came. */
export async function call(fetcher: Fetch, url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetcher(url, init);
  } catch (err) {
    if (init.signal?.aborted === true) throw err;
    throw new Problem(0, 'The server could not be reached. Check the connection and try again.', [], err);
  }
  if (response.ok || response.status === 304) return response;
  throw await problemOf(response);
}

/** Reads a JSON answer; a body cut short is a Problem as no answer is. */
export async function readJSON(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (err) {
    throw new Problem(0, 'The server’s answer could not be read. Try again.', [], err);
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const fallback = `The server answered ${String(response.status)} ${response.statusText}`.trimEnd();
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

/** What to tell a person about any error. */
export function messageOf(err: unknown): string {
  if (err instanceof Problem) return err.message;
  if (err instanceof WireError) return `The server sent something unexpected: ${err.message}`;
  return err instanceof Error ? err.message : String(err);
}
