import { useId } from 'react';
import { useStore } from '../hooks/useStore';
import { currentLanguage, type Language, languages, t } from '../i18n/words';
import { chooseLanguage } from '../store/language';

/** Each language in its own words. */
const names: Readonly<Record<Language, string>> = { en: 'English', id: 'Bahasa Indonesia' };

/** The user's own choice, kept in this browser. */
export function LanguageChoice() {
  const id = useId();
  const language = useStore(currentLanguage);
  return (
    <p className="language">
      <label htmlFor={id}>{t('language')}</label>
      <select
        id={id}
        className="input"
        value={language}
        onChange={(event) => {
          const chosen = languages.find((one) => one === event.target.value);
          if (chosen !== undefined) void chooseLanguage(chosen);
        }}
      >
        {languages.map((one) => (
          <option key={one} value={one} lang={one}>
            {names[one]}
          </option>
        ))}
      </select>
    </p>
  );
}
