/** Ages in words. The page speaks English; numbers and money follow the person's own settings. */

const units: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
];

/** "just now", "5 min. ago", "yesterday"; a clock that runs ahead makes it "just now", never "in 3 minutes". */
export function relativeTime(at: number, now: number): string {
  const age = Math.max(0, now - at);
  for (const [unit, length] of units) {
    if (age >= length) {
      const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
      return format.format(-Math.floor(age / length), unit);
    }
  }
  return 'just now';
}
