/** Ages and times in the page's language. */
import { locale, t } from '../i18n/words';
import { formats } from './formats';

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
      return ages(locale()).format(-Math.floor(age / length), unit);
    }
  }
  return t('time.now');
}

/** "12:05:40", or "12:05" if short, with the day if it is not today's. */
export function clockTime(at: number, now: number, timeStyle: 'medium' | 'short' = 'medium'): string {
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return times(locale(), timeStyle, isToday ? 'time' : 'short').format(at);
}

/** "Nov 30, 2026, 12:05:40 PM". */
export function dateAndTime(at: number): string {
  return times(locale(), 'medium', 'medium').format(at);
}

const ages = formats((tag) => new Intl.RelativeTimeFormat(tag, { numeric: 'auto', style: 'short' }));

/** With the style of the date, or the time alone. */
const times = formats(
  (tag: string, timeStyle: 'medium' | 'short', dateStyle: 'medium' | 'short' | 'time') =>
    new Intl.DateTimeFormat(tag, { timeStyle, ...(dateStyle === 'time' ? {} : { dateStyle }) }),
);
