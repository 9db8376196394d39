import { type Range, useWindowVirtualizer } from '@tanstack/react-virtual';
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

export interface VirtualRowsOptions {
  readonly list: RefObject<HTMLElement | null>;
  readonly ids: readonly string[];
  /** How many orders fit into a row of this width, in pixels. */
  readonly columnsFor: (width: number) => number;
  /** Of a row until the first ones are measured, in pixels. */
  readonly height: number;
  readonly gap: number;
}

export interface VirtualRows {
  readonly columns: number;
  /** The rows in view, and some around them. */
  readonly rows: readonly number[];
  /** The space of the rows before and after those, in pixels. */
  readonly above: number;
  readonly below: number;
  /** Whether the user scrolls: then rows come into the document outside of the window, not under a pointer. */
  readonly isScrolling: () => boolean;
  /** The ref of the first element of each row, which has its number as data-index. */
  readonly measure: (element: Element | null) => void;
}

/** Rows in the document before and after those in view, so that a fast scroll shows no gap. */
const overscan = 4;

/** The rows of a long list that are in view, so that ten thousand orders cost no more than one screen. */
export function useVirtualRows(options: VirtualRowsOptions): VirtualRows {
  const { list, ids, columnsFor, gap } = options;
  const [columns, setColumns] = useState(1);
  const [offset, setOffset] = useState(0);
  // Most rows have the least height. One that is as high as expected needs no second rendering when it is measured.
  const [height, setHeight] = useState(options.height);
  const widthOfHeight = useRef(0);

  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    const measure = () => {
      const width = element.clientWidth;
      setColumns(columnsFor(width));
      // Only with another width: another height moves every row.
      if (width !== widthOfHeight.current) setHeight((before) => leastHeight(element) ?? before);
      widthOfHeight.current = width;
      setOffset(element.getBoundingClientRect().top + window.scrollY);
    };
    measure();
    if (typeof ResizeObserver === 'undefined') return;
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [list, columnsFor]);

  // As many rows wherever the window begins: one comes when another goes, so a row that is scrolled past costs one layout, not two.
  const rangeExtractor = useCallback(
    ({ startIndex, endIndex, count }: Range) => {
      const most = Math.ceil(window.innerHeight / (height + gap));
      const first = Math.max(0, startIndex - overscan);
      const last = Math.min(count - 1, Math.max(endIndex, startIndex + most) + overscan);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    },
    [height, gap],
  );
  // With another function, the virtualizer computes the places of all rows again.
  const keyOf = useCallback((row: number) => ids[row * columns] ?? row, [ids, columns]);
  const virtualizer = useWindowVirtualizer({
    count: Math.ceil(ids.length / columns),
    estimateSize: () => height,
    rangeExtractor,
    gap,
    scrollMargin: offset,
    initialRect: { width: window.innerWidth, height: window.innerHeight },
    measureElement: (element, entry) =>
      entry?.borderBoxSize[0]?.blockSize ?? (element.getBoundingClientRect().height || height),
    getItemKey: keyOf,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: with these, every row has another height
  useEffect(() => virtualizer.measure(), [virtualizer, columns, height]);

  const isScrolling = useCallback(() => virtualizer.isScrolling, [virtualizer]);
  const rows = virtualizer.getVirtualItems();
  return {
    columns,
    rows: rows.map(({ index }) => index),
    above: (rows[0]?.start ?? offset) - offset,
    below: Math.max(0, virtualizer.getTotalSize() - ((rows.at(-1)?.end ?? offset) - offset)),
    isScrolling,
    measure: virtualizer.measureElement,
  };
}

function leastHeight(list: HTMLElement): number | undefined {
  const heights = [...list.querySelectorAll('[data-index]')].map((row) => row.getBoundingClientRect().height);
  const known = heights.filter((height) => height > 0); // jsdom knows none
  return known.length === 0 ? undefined : Math.min(...known);
}
