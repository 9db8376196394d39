/** Requests and answers of tests. */
export interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: string;
}

export function recorded(url: string, init: RequestInit): Recorded {
  const { pathname, searchParams } = new URL(url, 'http://orderbell.test');
  return {
    method: init.method ?? 'GET',
    path: pathname,
    query: searchParams,
    headers: new Headers(init.headers),
    body: typeof init.body === 'string' ? init.body : '',
  };
}

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

export function problem(status: number, detail: string, more: Record<string, unknown> = {}): Response {
  const body = { type: 'about:blank', title: 'Problem', status, detail, ...more };
  return json(status, body, { 'Content-Type': 'application/problem+json' });
}

/** A stream that sends `text` and then ends, unless it must stay open. */
export function eventStream(text: string, stay: 'ends' | 'stays open' = 'ends'): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      if (stay === 'ends') controller.close();
    },
  });
  return new Response(body, { status: 200, headers: { 'Content-Type': 'text/event-stream' } });
}

/** The answer as fetch would give it: its body fails when the request is aborted. */
export function abortable(response: Response, signal: AbortSignal): Response {
  const reader = response.body?.getReader();
  if (reader === undefined) return response;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      signal.addEventListener('abort', () => controller.error(signal.reason));
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}
