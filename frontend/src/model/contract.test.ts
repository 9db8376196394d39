import { readdirSync, readFileSync } from 'node:fs';
import { createParser } from 'eventsource-parser';
import { describe, expect, it } from 'vitest';
import { type Frame, parseFrame } from './frame';
import { fields, text } from './wire';

/** The golden examples that the Go types are held to as well. */
const examples = new URL('../../../specs/004-order-notifications/contracts/examples/', import.meta.url);

function jsonFiles(folder: string): { file: string; event: Readonly<Record<string, unknown>> }[] {
  return readdirSync(new URL(folder, examples))
    .filter((file) => file.endsWith('.json'))
    .map((file) => {
      const content: unknown = JSON.parse(readFileSync(new URL(folder + file, examples), 'utf8'));
      return { file, event: fields(content, file) };
    });
}

describe('the golden events', () => {
  const events = jsonFiles('events/');

  it('are there', () => {
    expect(events.length).toBeGreaterThan(3);
  });

  it.each(events)('$file is understood, field by field', ({ file, event }) => {
    const data = fields(event['data'], file);
    const type = text(event, 'type', file);
    const actor = data['actor'] === undefined ? undefined : fields(data['actor'], file);
    expect(parseFrame(type, JSON.stringify(data))).toEqual({
      kind: 'order',
      type,
      order: {
        orderId: data['order_id'],
        tenantId: data['tenant_id'],
        reference: data['reference'] ?? '',
        status: data['status'],
        totalAmount: data['total_amount'],
        currency: data['currency'],
        version: data['version'],
        createdAt: Date.parse(String(data['timestamp'])),
        updatedAt: Date.parse(String(data['timestamp'])),
        ...(actor && { actor: { userId: actor['user_id'], name: actor['name'] ?? '' } }),
        ...(data['undone'] !== undefined && { undone: data['undone'] }),
      },
    });
  });
});

describe('the invalid events', () => {
  // The rest break rules of the envelope, or of bytes that only the server needs to know.
  const ofTheData = jsonFiles('events/invalid/').filter(({ file }) =>
    /^data_.*(missing|status_unknown|lower_case|without_zone|fraction|negative|text|null|zero)\.json$/.test(
      file,
    ),
  );

  it('are there', () => {
    expect(ofTheData.length).toBeGreaterThan(5);
  });

  it.each(ofTheData)('$file is refused, naming the field', ({ file, event: example }) => {
    const event = fields(example['event'], file);
    const type = text(event, 'type', file);
    expect(() => parseFrame(type, JSON.stringify(event['data'] ?? null))).toThrow(/^data.* is .*, want /);
  });
});

describe('the golden frames', () => {
  /** The frames in a file, read as the stream is. */
  function framesIn(file: string): Frame[] {
    const frames: Frame[] = [];
    const parser = createParser({
      onEvent: ({ event = '', data }) => frames.push(parseFrame(event, data)),
      onError: (err) => {
        throw err;
      },
    });
    parser.feed(readFileSync(new URL(`sse/${file}`, examples), 'utf8'));
    return frames;
  }

  const files = readdirSync(new URL('sse/', examples));

  it.each(files)('%s is understood, and no frame of it is unknown', (file) => {
    const kinds = framesIn(file).map((frame) => (frame.kind === 'order' ? frame.type : frame.kind));
    const want = [...readFileSync(new URL(`sse/${file}`, examples), 'utf8').matchAll(/^event: (.*)$/gm)];
    expect(kinds).toEqual(want.map(([, name]) => name));
  });

  it('tell of everything that this page acts on', () => {
    const kinds = new Set(files.flatMap(framesIn).map((frame) => frame.kind));
    expect([...kinds].sort()).toEqual([
      'degraded',
      'live',
      'notification',
      'notification_read',
      'order',
      'order_committed',
      'overloaded',
      'ready',
      'resync',
      'token_expiring',
    ]);
  });
});
