/**
 * Runs the clients for Node.js and Chromium, many streams of one kind in one process. `node clients.js KIND` reads commands from
 * its input, one per line: {"stream":1,"open":"http://…"}. It writes reports to its output, one per line:
 * {"stream":1,"what":"open"}, "event" with id, event and data, or "error" with the client's readyState and the status, if known.
 */
import { createInterface } from 'node:readline';
import { EventSource } from 'eventsource';
import { createParser } from 'eventsource-parser';
import { chromium } from 'playwright-core';

/** The contract's event names. An EventSource needs a listener for each of them. */
const names = [
  'ready',
  'order_created',
  'order_paid',
  'order_status_updated',
  'notification',
  'notification_read',
  'resync',
  'degraded',
  'live',
  'token_expiring',
  'overloaded',
  'message',
];

/** @param {object} report */
function say(report) {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** Starts the event source of Chromium, in a page of the stream's own origin. */
async function startChromium() {
  const path = process.env.CHROMIUM_PATH;
  const browser = await chromium.launch({
    ...(path ? { executablePath: path } : {}),
    chromiumSandbox: process.getuid?.() !== 0, // Chromium refuses its sandbox to root
    args: [
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-gpu',
      '--disable-quic',
      '--disable-sync',
      '--no-first-run',
    ],
  });
  return {
    async open(stream, url) {
      const page = await browser.newPage();
      await page.exposeFunction('say', (report) => say({ stream, ...report }));
      await page.goto(new URL('/blank', url).href);
      await page.evaluate(
        ([address, all]) => {
          const source = new window.EventSource(address);
          source.onopen = () => window.say({ what: 'open' });
          source.onerror = () => window.say({ what: 'error', state: source.readyState });
          for (const name of all) {
            source.addEventListener(name, (e) =>
              window.say({ what: 'event', id: e.lastEventId, event: e.type, data: e.data }),
            );
          }
        },
        [url, names],
      );
    },
    close: () => browser.close(),
  };
}

/** Starts npm's eventsource. */
function startEventSource() {
  return {
    open(stream, url) {
      const source = new EventSource(url);
      source.onopen = () => say({ stream, what: 'open' });
      source.onerror = (e) => say({ stream, what: 'error', state: source.readyState, status: e.code ?? 0 });
      for (const name of names) {
        source.addEventListener(name, (e) =>
          say({ stream, what: 'event', id: e.lastEventId, event: e.type, data: e.data }),
        );
      }
    },
    close() {},
  };
}

/** Starts a client that follows the contract's rules, built on npm's eventsource-parser. */
function startParser() {
  return {
    open(stream, url) {
      void follow(stream, url);
    },
    close() {},
  };
}

const [connecting, closed] = [0, 2];

async function follow(stream, url) {
  const at = { lastEventID: '', retry: 1000 };
  for (;;) {
    let status = 0;
    try {
      const headers = at.lastEventID === '' ? {} : { 'Last-Event-ID': at.lastEventID };
      const response = await fetch(url, { headers: { Accept: 'text/event-stream', ...headers } });
      status = response.status;
      if (status === 200) {
        say({ stream, what: 'open' });
        await read(stream, response.body, at);
      } else {
        await response.body?.cancel();
      }
    } catch {
      // The stream was cut, or the gateway is down: reconnect.
    }
    if (status === 204 || status === 401 || status === 403) {
      say({ stream, what: 'error', state: closed, status });
      return;
    }
    say({ stream, what: 'error', state: connecting, status: status === 200 ? 0 : status });
    await new Promise((resolve) => setTimeout(resolve, at.retry));
  }
}

async function read(stream, body, at) {
  const parser = createParser({
    onRetry(ms) {
      at.retry = ms;
    },
    onEvent(e) {
      at.lastEventID = e.id ?? at.lastEventID;
      say({ stream, what: 'event', id: at.lastEventID, event: e.event ?? 'message', data: e.data });
    },
    onError(err) {
      say({ stream, what: 'event', id: '', event: 'broken', data: String(err) });
    },
  });
  for await (const text of body.pipeThrough(new TextDecoderStream())) parser.feed(text);
}

const kinds = { chromium: startChromium, eventsource: startEventSource, 'eventsource-parser': startParser };
const start = kinds[process.argv[2] ?? ''];
if (start === undefined) throw new Error(`KIND is one of ${Object.keys(kinds).join(', ')}`);
const clients = await start();
for await (const line of createInterface({ input: process.stdin })) {
  const { stream, open } = JSON.parse(line);
  await clients.open(stream, open);
}
await clients.close();
process.exit(0); // open streams would keep the process running
