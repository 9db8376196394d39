/** The page's language: the user's choice in this browser, otherwise the business's. */
import { currentLanguage, type Language, languages, setLanguage } from '../i18n/words';

const storageKey = 'orderbell.language';

/** Before the first render: the stored choice, or the business's language at the last use of this page. */
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
    // The choice lasts as long as the page.
  }
}
