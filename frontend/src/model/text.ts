/**
 * The characters that a name, such as the reference of an order, may contain. internal/text has the rule and the reasons, the
 * contracts' text.json the cases. A test of the contract compares the character classes with the server's.
 */

/** Invisible, or changes how the text around it is shown. */
const refused =
  '\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\u{13430}-\u{1343f}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{1fffe}\u{1ffff}\u{2fffe}\u{2ffff}\u{3fffe}-\u{e00ff}\u{e01f0}-\u{10ffff}';

/** Follow a visible character: combining marks, joiners, variation selectors. */
const joiners =
  '\u0300-\u034e\u0350-\u036f\u0483-\u0489\u180b-\u180d\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\u{e0100}-\u{e01ef}';

const blanks = ' \u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000';

const rule = new RegExp(`^[${blanks}]*([^${refused}${joiners}${blanks}][${joiners}]*[${blanks}]*)+$`, 'u');
const anyRefused = new RegExp(`[${refused}\\ud800-\\udfff]`, 'u');
const loneJoiner = new RegExp(`(?:^|[${blanks}])([${joiners}])`, 'u');

export type TextFault =
  /** The character, such as U+202E, is invisible, changes the text around it, or needs a character before it. */
  { readonly kind: 'character'; readonly point: string } | { readonly kind: 'invisible' };

/** The fault of a name, or undefined. An empty name has none. */
export function textFault(name: string): TextFault | undefined {
  if (name === '') return undefined;
  const at = anyRefused.exec(name)?.[0] ?? loneJoiner.exec(name)?.[1];
  if (at !== undefined) return { kind: 'character', point: pointOf(at) };
  return rule.test(name) ? undefined : { kind: 'invisible' };
}

/** A name as the server keeps it: without blanks at its ends, in Unicode's form NFC. */
export function normalText(name: string): string {
  return name.replace(new RegExp(`^[${blanks}]+|[${blanks}]+$`, 'gu'), '').normalize('NFC');
}

/** Without a shape, but the released contract accepts them. internal/text has the reasons. */
const unseen = '\u{1d159}\u{16fe4}\u{13441}\u{13442}';
const anyUnseen = new RegExp(`[${unseen}]`, 'gu');
const mark = `[\\p{M}${joiners}]`;
const manyMarks = new RegExp(`(${mark}{6})${mark}+`, 'gu');
const anyVisible = new RegExp(`[^${refused}${joiners}${blanks}]`, 'u');

/** A name as it is shown: without characters that have no shape, and with few marks on one character. '' if nothing is visible. */
export function shownText(name: string): string {
  const shown = name.replace(anyUnseen, '').replace(manyMarks, '$1');
  return anyVisible.test(shown) ? shown : '';
}

function pointOf(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  return `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
}
