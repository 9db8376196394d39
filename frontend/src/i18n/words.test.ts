import { readdirSync } from 'node:fs';
import { type MessageFormatElement, parse, TYPE } from '@formatjs/icu-messageformat-parser';
import { describe, expect, it } from 'vitest';
import en from './en.json';
import id from './id.json';
import { isolated, languages, parts, t } from './words';

/** The names of the values that a text takes. */
function valuesOf(text: string): string[] {
  const names = new Set<string>();
  const walk = (elements: readonly MessageFormatElement[]): void => {
    for (const element of elements) {
      if (element.type !== TYPE.literal && element.type !== TYPE.pound) names.add(element.value);
      if ('options' in element) for (const option of Object.values(element.options)) walk(option.value);
    }
  };
  walk(parse(text));
  return [...names].sort();
}

describe('the catalogues', () => {
  it('are of the languages that mails have', () => {
    const mails = readdirSync(new URL('../../../internal/wording/catalogue', import.meta.url));
    const page = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.json'));
    expect(mails.sort()).toEqual([...languages].map((language) => `${language}.json`).sort());
    expect(page.sort()).toEqual(mails);
  });

  it('have the same texts', () => {
    expect(Object.keys(id)).toEqual(Object.keys(en));
  });

  it.each(Object.entries(en))('%s takes the same values in both languages', (key, text) => {
    expect(valuesOf(id[key as keyof typeof id])).toEqual(valuesOf(text));
  });
});

describe('texts', () => {
  it('count by the rules of their language', () => {
    expect([t('list.news', { count: 1 }), t('list.news', { count: 3 })]).toEqual([
      'Show 1 new order',
      'Show 3 new orders',
    ]);
  });

  it('keep elements apart', () => {
    const element = { an: 'element' };
    expect(parts('new.created', { name: element })).toEqual(['Order ', element, ' created.']);
  });

  it('isolate what could turn the rest around', () => {
    expect(isolated('A-1')).toBe('A-1');
    expect(isolated('طلب')).toBe('\u2068طلب\u2069');
  });
});
