/**
 * The page's texts, from catalogues of ICU messages. English is built in; other languages are loaded when they are chosen. The
 * whole page has one language and renders again when it changes.
 */

import { IntlMessageFormat } from 'intl-messageformat';
import { shownText } from '../model/text';
import en from './en.json';

export type Key = keyof typeof en;
export type Catalogue = Readonly<Record<Key, string>>;
export type Values = Readonly<Record<string, string | number>>;

export const languages = ['en', 'id'] as const;
export type Language = (typeof languages)[number];

const catalogues: Record<Language, () => Promise<Catalogue>> = {
  en: async () => en,
  id: async () => (await import('./id.json')).default,
};

let language: Language = 'en';
let catalogue: Catalogue = en;
const parsed = new Map<Key, IntlMessageFormat>();
const listeners = new Set<() => void>();

/** The language of the page, for useStore. */
export const currentLanguage = {
  getSnapshot: (): Language => language,
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

/** Changes the page's language. If its texts cannot be loaded, the page keeps the language that it has. */
export async function setLanguage(next: Language): Promise<void> {
  try {
    catalogue = await catalogues[next]();
  } catch {
    return;
  }
  language = next;
  parsed.clear();
  document.documentElement.lang = next;
  for (const listener of listeners) listener();
}

/** The language's regional form that this browser prefers, such as en-GB: for times and amounts. */
export function locale(): string {
  return globalThis.navigator?.languages.find((tag) => tag.split('-')[0] === language) ?? language;
}

function message(key: Key): IntlMessageFormat {
  let format = parsed.get(key);
  if (format === undefined) {
    format = new IntlMessageFormat(catalogue[key], locale());
    parsed.set(key, format);
  }
  return format;
}

/** A text as a string, for attributes and errors. Pass texts of users through `isolated`. */
export function t(key: Key, values: Values = {}): string {
  return String(message(key).format(values));
}

/** A text with elements in it, such as <bdi>. */
export function parts<T>(key: Key, values: Readonly<Record<string, string | number | T>>): (string | T)[] {
  const result = message(key).format<T>(values);
  return Array.isArray(result) ? result : [result as string | T];
}

/**
 * A name within a sentence that is a string, as it is shown. Text of unknown direction is isolated (UAX #9: FSI … PDI), so that
 * an Arabic reference cannot reorder the amount.
 */
export function isolated(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : `\u2068${shownText(text)}\u2069`;
}
