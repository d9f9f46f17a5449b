// From one page of a list to the next.
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/types.ts";
import { Button } from "./parts.tsx";

export function Pager({ page, onPage }: { page: Schemas["PageView"] | undefined; onPage: (number: number) => void }) {
  const { t } = useTranslation();
  if (!page || page.total <= page.size) return null;
  const last = Math.ceil(page.total / page.size);
  return (
    <nav className="row between" aria-label={t("pager.label")}>
      <Button size="small" disabled={page.number <= 1} onClick={() => onPage(page.number - 1)}>
        <ChevronLeft aria-hidden />
        {t("pager.previous")}
      </Button>
      <span className="soft small number">{t("pager.where", { number: page.number, last, count: page.total })}</span>
      <Button size="small" disabled={page.number >= last} onClick={() => onPage(page.number + 1)}>
        {t("pager.next")}
        <ChevronRight aria-hidden />
      </Button>
    </nav>
  );
}
