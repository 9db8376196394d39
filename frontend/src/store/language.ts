/** Which language the page speaks: the user's own choice in this browser, else the business's. */
import { currentLanguage, type Language, languages, setLanguage } from '../i18n/words';

const storageKey = 'orderbell.language';

/** At the start, before anything is drawn: the kept choice, or the business's language when this page was last used. */
export async function startLanguage(): Promise<void> {
  const kept = languageOf(read(storageKey) ?? read(`${storageKey}.business`));
  if (kept !== undefined && kept !== currentLanguage.getSnapshot()) await setLanguage(kept);
}

export async function chooseLanguage(language: Language): Promise<void> {
  write(storageKey, language);
  await setLanguage(language);
}

/** The business's language counts until the user chooses one. */
export async function followBusiness(locale: string): Promise<void> {
  const language = languageOf(locale);
  if (language === undefined) return;
  write(`${storageKey}.business`, language);
  if (read(storageKey) === null && language !== currentLanguage.getSnapshot()) await setLanguage(language);
}

function languageOf(tag: string | null): Language | undefined {
  return languages.find((language) => language === tag?.split('-')[0]);
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // a browser without storage
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // The choice lives as long as the page.
  }
}
