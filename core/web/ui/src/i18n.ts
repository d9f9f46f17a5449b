// English is here from the start; another language is one file beside it, and is fetched when it is chosen.
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import en from "./locales/en.json";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "boxvault.language";

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: typeof en };
  }
}

const isLanguage = (text: string | null | undefined): text is Language => !!text && text in LANGUAGES;

/** The language that messages are shown in, and asked for. */
export function language(): Language {
  return isLanguage(i18next.language) ? i18next.language : "en";
}

export async function choose(wanted: Language): Promise<void> {
  localStorage.setItem(KEY, wanted);
  await show(wanted);
}

export async function startLanguage(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: "en",
    fallbackLng: "en",
    resources: { en: { translation: en } },
    // React escapes what it shows
    interpolation: { escapeValue: false },
  });
  const kept = localStorage.getItem(KEY);
  const asked = isLanguage(kept) ? kept : navigator.languages.map((one) => one.slice(0, 2)).find(isLanguage);
  await show(asked ?? "en");
}

async function show(wanted: Language): Promise<void> {
  if (wanted !== "en" && !i18next.hasResourceBundle(wanted, "translation")) {
    const { default: texts } = await import(`./locales/${wanted}.json`);
    i18next.addResourceBundle(wanted, "translation", texts);
  }
  await i18next.changeLanguage(wanted);
  document.documentElement.lang = wanted;
}
