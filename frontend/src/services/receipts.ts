/**
 * Tells the gateway when changes of orders were painted, if their frames named a trace: the trace of a sampled order ends on the
 * screen. Receipts are a sample, so a receipt that cannot be sent is dropped.
 */
import { api } from '../paths';
import { type Ask, sending } from './authorized';

export interface Receipts {
  /** The stream has opened: the next frames may be replayed, so their times say nothing about latency. */
  opened(): void;
  /** A frame with a trace has arrived. */
  came(eventId: string, traceparent: string): void;
  close(): void;
}

interface Receipt {
  readonly eventId: string;
  readonly traceparent: string;
  /** As performance.now() has it. */
  readonly arrived: number;
  readonly painted: number;
}

/** Frames of this time after the stream's begin are not reported. */
const replay = 2000;
/** How long receipts wait, to share a request. */
const patience = 1000;
/** The largest number of receipts that the gateway takes in a request. */
const most = 10;

/** `afterPaint` calls back once the current state of the page is painted; it does not in a hidden page. */
export function openReceipts(ask: Ask, afterPaint: (then: () => void) => void = nextPaint): Receipts {
  let openedAt = Number.POSITIVE_INFINITY;
  let waiting: Receipt[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;

  return {
    opened() {
      openedAt = performance.now();
    },
    came(eventId, traceparent) {
      const arrived = performance.now();
      if (!(arrived - openedAt >= replay)) return;
      afterPaint(() => {
        if (isClosed || waiting.length >= most) return;
        waiting.push({ eventId, traceparent, arrived, painted: performance.now() });
        timer ??= setTimeout(send, patience);
      });
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };

  function send(): void {
    const now = performance.now();
    const receipts = waiting.map((r) => ({
      event_id: r.eventId,
      traceparent: r.traceparent,
      arrived_ms_ago: Math.round(now - r.arrived),
      painted_ms_ago: Math.round(now - r.painted),
    }));
    waiting = [];
    timer = undefined;
    void ask(api.receipts, sending('POST', { receipts })).catch(() => undefined);
  }
}

/** The task after a frame's callbacks runs when that frame is painted. */
function nextPaint(then: () => void): void {
  if (document.visibilityState === 'visible') requestAnimationFrame(() => setTimeout(then));
}
