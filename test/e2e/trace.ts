/** What Chromium does while a page scrolls, from its own trace: how long each frame took, and what the page itself needed for it. */
import { writeFileSync } from 'node:fs';
import type { CDPSession, Page } from '@playwright/test';

interface TraceEvent {
  readonly name: string;
  readonly ts: number;
  readonly dur?: number;
  /** Of the thread's own time: what other programs take from the machine does not count. */
  readonly tdur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly args?: {
    readonly name?: string;
    readonly elementCount?: number;
    readonly data?: { readonly jsHeapSizeUsed?: number };
  };
}

export interface Figures {
  readonly frames: number;
  readonly seconds: number;
  readonly medianMs: number;
  readonly worstMs: number;
  /** Of 16.7 ms, in percent. */
  readonly lateShare: number;
  /** The longest task of the page's thread, in its own time. */
  readonly worstTaskMs: number;
  /** What a frame needs of each thread, in its own time. */
  readonly cpuMs: Readonly<Record<Thread, number>>;
  /** The most layouts in one task: the page is laid out again each time that it is changed and then measured. */
  readonly layouts: number;
  /** All layouts, and of how many elements the styles were computed; of one that was computed twice, two. */
  readonly allLayouts: number;
  readonly styles: number;
  /** The largest heap of JavaScript in the trace, with garbage, and the heap after it was collected. */
  readonly peakHeapMb: number;
  readonly heapMb: number;
}

/** The page's own; what moves its layers; what draws their parts; what draws the window, for which this Chromium has no GPU. */
export type Thread = 'page' | 'compositor' | 'raster' | 'display';

const categories = [
  'devtools.timeline',
  'disabled-by-default-devtools.timeline',
  'disabled-by-default-devtools.timeline.frame',
  'blink.user_timing',
  'toplevel',
];

/** Scrolls by so many pixels in each of so many frames. Returns what the trace says, which it keeps in the file. */
export async function scroll(page: Page, frames: number, pixels: number, file: string): Promise<Figures> {
  const client = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  client.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  await client.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: categories, excludedCategories: ['*'] },
  });
  await page.evaluate(scrollSteadily, { frames, pixels });
  const done = new Promise((resolve) => client.once('Tracing.tracingComplete', resolve));
  await client.send('Tracing.end');
  await done;
  writeFileSync(file, JSON.stringify({ traceEvents: events }));
  return { ...figuresOf(events), heapMb: await heap(client) };
}

/** In the page: by frame, not by time, so that a frame has as much to do on a slow machine as on a fast one. */
function scrollSteadily({ frames, pixels }: { frames: number; pixels: number }): Promise<void> {
  return new Promise((resolve) => {
    let left = frames;
    performance.mark('scroll begins');
    const step = () => {
      window.scrollBy({ top: pixels, behavior: 'instant' });
      left -= 1;
      if (left > 0) return requestAnimationFrame(step);
      performance.mark('scroll ends');
      return resolve();
    };
    requestAnimationFrame(step);
  });
}

function figuresOf(events: readonly TraceEvent[]): Omit<Figures, 'heapMb'> {
  const begin = events.find(({ name }) => name === 'scroll begins');
  const end = events.find(({ name }) => name === 'scroll ends');
  if (begin === undefined || end === undefined) throw new Error('the trace has no marks');
  const during = events.filter(({ ts, pid }) => pid === begin.pid && ts >= begin.ts && ts <= end.ts);
  // What the page made: Chromium draws the last picture again while the page works on the next.
  const drawn = during.filter(({ name, tid }) => name === 'Commit' && tid === begin.tid).map(({ ts }) => ts);
  const times = drawn
    .sort((a, b) => a - b)
    .slice(1)
    .map((ts, i) => (ts - (drawn[i] ?? ts)) / 1000);
  const tasks = during.filter(({ name, tid }) => name === 'RunTask' && tid === begin.tid);
  const layouts = during.filter(({ name }) => name === 'Layout');
  const heaps = during.map(({ args }) => args?.data?.jsHeapSizeUsed ?? 0);
  const inTask = (task: TraceEvent) =>
    layouts.filter(({ ts }) => ts >= task.ts && ts <= task.ts + (task.dur ?? 0)).length;
  return {
    frames: times.length,
    seconds: (end.ts - begin.ts) / 1_000_000,
    medianMs: times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN,
    worstMs: most(times),
    lateShare: (100 * times.filter((ms) => ms > 16.7).length) / times.length,
    worstTaskMs: most(tasks.map(({ tdur = 0 }) => tdur / 1000)),
    cpuMs: cpuOf(events, begin, end, times.length),
    layouts: most(tasks.map(inTask)),
    allLayouts: layouts.length,
    styles: during.reduce(
      (sum, { name, args }) => sum + (name === 'UpdateLayoutTree' ? (args?.elementCount ?? 0) : 0),
      0,
    ),
    peakHeapMb: most(heaps) / 1_000_000,
  };
}

/** The threads that work for the page: its process's, and the one that draws the window. */
function cpuOf(
  events: readonly TraceEvent[],
  begin: TraceEvent,
  end: TraceEvent,
  frames: number,
): Record<Thread, number> {
  const names = new Map(
    events.flatMap(({ name, pid, tid, args }) =>
      name === 'thread_name' ? [[`${String(pid)} ${String(tid)}`, args?.name ?? '']] : [],
    ),
  );
  const cpuMs: Record<Thread, number> = { page: 0, compositor: 0, raster: 0, display: 0 };
  for (const { name, ts, tdur = 0, pid, tid } of events) {
    if (ts < begin.ts || ts > end.ts || !['RunTask', 'ThreadPool_RunTask'].includes(name)) continue;
    const thread = threadOf(names.get(`${String(pid)} ${String(tid)}`) ?? '', pid === begin.pid);
    if (thread !== undefined) cpuMs[thread] += tdur / 1000 / frames;
  }
  return cpuMs;
}

function threadOf(name: string, isPages: boolean): Thread | undefined {
  if (name === 'VizCompositorThread') return 'display';
  if (!isPages) return undefined;
  if (name === 'CrRendererMain') return 'page';
  if (name === 'Compositor') return 'compositor';
  return name.startsWith('ThreadPool') ? 'raster' : undefined;
}

/** Math.max takes no hundred thousand numbers. */
function most(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => Math.max(a, b), 0);
}

async function heap(client: CDPSession): Promise<number> {
  await client.send('HeapProfiler.collectGarbage');
  const { usedSize } = await client.send('Runtime.getHeapUsage');
  return usedSize / 1_000_000;
}
