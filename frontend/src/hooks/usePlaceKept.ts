import { type RefObject, useLayoutEffect } from 'react';

/** What a list stores about the places of its orders. */
export interface Places {
  /** The last height of each order, in pixels. */
  readonly heights: Map<string, number>;
  /** Keeps the heights. To measure an order when it leaves would cost a layout of the page for each one that is scrolled away. */
  readonly observer: ResizeObserver | undefined;
  /** The order that left with the focus inside, or "". */
  focusOf: string;
}

export function newPlaces(): Places {
  const heights = new Map<string, number>();
  return { heights, observer: 'ResizeObserver' in window ? heightObserver(heights) : undefined, focusOf: '' };
}

function heightObserver(heights: Map<string, number>): ResizeObserver {
  return new ResizeObserver((entries) => {
    for (const { target, borderBoxSize } of entries) {
      const [id, height] = [idOf.get(target), borderBoxSize[0]?.blockSize];
      // An element that has left the page has no height; the last height counts.
      if (id !== undefined && height !== undefined && target.isConnected) heights.set(id, height);
    }
  });
}

/** Which order an observed element shows. */
const idOf = new WeakMap<Element, string>();

/**
 * Keeps the height and the focus at an order's place when its card becomes a gap and back. When an order with the focus leaves the
 * list, the focus moves to the list; the browser would drop it.
 */
export function usePlaceKept(element: RefObject<HTMLElement | null>, orderId: string, places: Places): void {
  useLayoutEffect(() => {
    const here = element.current;
    if (here === null) return;
    const list = here.closest<HTMLElement>('#orders');
    if (places.focusOf === orderId && document.activeElement === list) here.focus({ preventScroll: true });
    idOf.set(here, orderId);
    places.observer?.observe(here);
    return () => {
      places.observer?.unobserve(here);
      if (!here.contains(document.activeElement)) return;
      places.focusOf = orderId;
      list?.focus({ preventScroll: true });
    };
  }, [element, orderId, places]);
}

/** Like usePlaceKept, for the gap of an order, which has the order's last height. */
export function useGapKept(element: RefObject<HTMLElement | null>, orderId: string, places: Places): void {
  useLayoutEffect(() => {
    const height = places.heights.get(orderId);
    if (height !== undefined) element.current?.style.setProperty('block-size', `${String(height)}px`);
  }, [element, orderId, places]);
  usePlaceKept(element, orderId, places);
}
