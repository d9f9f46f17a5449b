// Light, dark, or as the system has it.
export type Theme = "light" | "dark" | "auto";

const KEY = "boxvault.theme";

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "auto";
}

export function chooseTheme(wanted: Theme): void {
  localStorage.setItem(KEY, wanted);
  showTheme();
}

export function showTheme(): void {
  const wanted = theme();
  if (wanted === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
}
