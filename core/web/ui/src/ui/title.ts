import { useEffect } from "react";

/** The name of the page, in the browser's list of tabs. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · BoxVault` : "BoxVault";
  }, [title]);
}
