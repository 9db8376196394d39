import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import type { Frame } from '../model/frame';
import { openStream, type Stream } from './sse';

/** The connection over a real socket: what only bytes on a line can show. */
type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let stream: Stream | undefined;
let server: Server | undefined;

afterEach(async () => {
  stream?.close();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

/** Serves each connection by the next handler, and returns the frames that the client reads. */
async function setup(...handlers: Handler[]): Promise<Frame[]> {
  let connections = 0;
  server = createServer((request, response) => {
    const handler = handlers[connections];
    connections += 1;
    if (handler === undefined) response.writeHead(204).end();
    else handler(request, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const frames: Frame[] = [];
  stream = openStream({
    fetch: (path, init) => fetch(`http://127.0.0.1:${String(port)}${path}`, init),
    credentials: { token: () => 'a-token', renew: async () => false },
    onFrame: (frame) => frames.push(frame),
    onBadFrame: () => undefined,
  });
  return frames;
}

const wait = { timeout: 20_000, interval: 5 };

function begin(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.write('retry: 1\n\n');
}

it('resumes after a cut in the middle of a frame, and takes the half frame for nothing', async () => {
  const headers: IncomingMessage['headers'][] = [];
  const frames = await setup(
    (request, response) => {
      headers.push(request.headers);
      begin(response);
      response.write('id: 7\nevent: first\ndata: {}\n\nid: 8\nevent: half\ndata: {', () => {
        response.socket?.destroy(); // no terminal chunk, as the gateway closes
      });
    },
    (request, response) => {
      headers.push(request.headers);
      begin(response);
      response.write('id: 8\nevent: whole\ndata: {}\n\n');
    },
  );
  await vi.waitFor(() => expect(frames).toHaveLength(2), wait);
  expect(frames).toEqual([
    { kind: 'unknown', name: 'first' },
    { kind: 'unknown', name: 'whole' },
  ]);
  expect(headers.map((h) => h['last-event-id'])).toEqual([undefined, '7']);
  expect(headers[0]?.authorization).toBe('Bearer a-token');
});

it('joins a character that came in two pieces, and reads CRLF', async () => {
  const frames = await setup((_request, response) => {
    begin(response);
    const bytes = Buffer.from('event: caf\u00e9\r\ndata: {}\r\n\r\n');
    const middle = bytes.indexOf(0xc3) + 1;
    response.write(bytes.subarray(0, middle));
    setImmediate(() => response.write(bytes.subarray(middle)));
  });
  await vi.waitFor(() => expect(frames).toEqual([{ kind: 'unknown', name: 'café' }]), wait);
});

it('hangs up when it is closed', async () => {
  const hungUp = vi.fn();
  const frames = await setup((request, response) => {
    request.on('close', hungUp);
    begin(response);
    response.write('event: x\ndata: {}\n\n');
  });
  await vi.waitFor(() => expect(frames).toHaveLength(1), wait);
  expect(hungUp).not.toHaveBeenCalled();
  stream?.close();
  await vi.waitFor(() => expect(hungUp).toHaveBeenCalled(), wait);
});

it('stops for good when told so', async () => {
  const frames = await setup((_request, response) => {
    begin(response);
    response.end('event: x\ndata: {}\n\n');
  });
  await vi.waitFor(
    () => expect(stream?.getSnapshot()).toEqual({ kind: 'closed', reason: 'dismissed' }),
    wait,
  );
  expect(frames).toHaveLength(1);
});
