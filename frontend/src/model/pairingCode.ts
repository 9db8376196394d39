/** The letters of codes, by openapi.yaml: no vowels, so that no code is a word, and none that looks like a digit. */
const code = /^([BCDFGHJKLMNPQRSTVWXZ]{4})([BCDFGHJKLMNPQRSTVWXZ]{4})$/;

/** What a user typed as a till shows it, such as WDJB-MJHT; undefined if no till shows it. Case, spaces and dashes do not matter. */
export function pairingCode(typed: string): string | undefined {
  const found = code.exec(typed.replace(/[\s\p{Pd}]/gu, '').toUpperCase());
  return found === null ? undefined : `${found[1] ?? ''}-${found[2] ?? ''}`;
}
