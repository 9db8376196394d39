import { type RefObject, useLayoutEffect } from 'react';

/** What a list knows of the places of its orders. */
export interface Places {
  /** The last height of each order that left its place, in pixels. */
  readonly heights: Map<string, number>;
  /** The order that left with the focus inside, or "". */
  focusOf: string;
}

export function newPlaces(): Places {
  return { heights: new Map(), focusOf: '' };
}

/**
 * Keeps the height and the focus at an order's place, through its card, its gap and back. An order that leaves the list with
 * the focus inside hands it to the list: the browser would drop it.
 */
export function usePlaceKept(element: RefObject<HTMLElement | null>, orderId: string, places: Places): void {
  useLayoutEffect(() => {
    const here = element.current;
    if (here === null) return;
    const list = here.closest<HTMLElement>('#orders');
    if (places.focusOf === orderId && document.activeElement === list) here.focus({ preventScroll: true });
    return () => {
      places.heights.set(orderId, here.getBoundingClientRect().height);
      if (!here.contains(document.activeElement)) return;
      places.focusOf = orderId;
      list?.focus({ preventScroll: true });
    };
  }, [element, orderId, places]);
}

/** As usePlaceKept, for what stands in for an order: it is as high as the order was. */
export function useGapKept(element: RefObject<HTMLElement | null>, orderId: string, places: Places): void {
  useLayoutEffect(() => {
    const height = places.heights.get(orderId);
    if (height !== undefined) element.current?.style.setProperty('block-size', `${String(height)}px`);
  }, [element, orderId, places]);
  usePlaceKept(element, orderId, places);
}
