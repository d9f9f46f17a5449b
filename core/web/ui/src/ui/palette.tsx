// Everything by keyboard: Ctrl+K (or ⌘K), then a few letters of where to go.
import { Dialog as Base } from "@base-ui/react/dialog";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Building2, type LucideIcon, Package, SquareArrowRight } from "lucide-react";
import { useDeferredValue, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { discover, useProfile } from "../api/queries.ts";
import { useAdminPlaces } from "../pages/admin-places.ts";

interface Entry {
  key: string;
  icon: LucideIcon;
  name: string;
  href: string;
}

const BOXES_SHOWN = 8;

export default function Palette({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const id = useId();
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const entries = useEntries(words);
  const chosen = Math.min(at, entries.length - 1);
  const go = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    navigate({ href: entry.href });
  };
  const onKey = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && entries.length > 0) {
      event.preventDefault();
      setAt((chosen + step + entries.length) % entries.length);
    }
    if (event.key === "Enter") {
      // else it is pressed once more on what has the focus then
      event.preventDefault();
      go(entries[chosen]);
    }
  };
  return (
    <Base.Root open onOpenChange={(open) => open || onClose()}>
      <Base.Portal>
        <Base.Backdrop className="backdrop" />
        <Base.Popup className="dialog palette" aria-label={t("palette.title")}>
          <input
            className="input"
            type="text"
            role="combobox"
            aria-expanded
            aria-controls={`${id}-list`}
            aria-activedescendant={entries[chosen] && `${id}-${chosen}`}
            aria-label={t("palette.title")}
            placeholder={t("palette.hint")}
            autoComplete="off"
            value={words}
            onChange={(event) => {
              setWords(event.target.value);
              setAt(0);
            }}
            onKeyDown={onKey}
          />
          <div className="palette-list" role="listbox" id={`${id}-list`} aria-label={t("palette.title")}>
            {entries.map(({ key, icon: Icon, name, ...entry }, index) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field above
              <div
                key={key}
                id={`${id}-${index}`}
                role="option"
                tabIndex={-1}
                aria-selected={index === chosen}
                className="menu-item"
                data-highlighted={index === chosen || undefined}
                onClick={() => go({ key, icon: Icon, name, ...entry })}
                onMouseMove={() => setAt(index)}
              >
                <Icon aria-hidden />
                {name}
              </div>
            ))}
            {entries.length === 0 && <p className="soft palette-nothing">{t("palette.nothing")}</p>}
          </div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** Pages, own organizations, and boxes that the server finds. */
function useEntries(words: string): Entry[] {
  const { t } = useTranslation();
  const me = useProfile();
  const q = useDeferredValue(words.trim());
  const boxes = useQuery({ ...discover({ q }, BOXES_SHOWN), enabled: q.length > 1 });
  const page = (href: string, name: string): Entry => ({ key: href, icon: SquareArrowRight, name, href });
  const pages = [
    page("/discover", t("nav.discover")),
    page("/organizations", t("nav.organizations")),
    ...(me
      ? [
          page("/settings", t("settings.profile")),
          page("/settings/security", t("settings.security")),
          page("/settings/tokens", t("settings.tokens")),
          page("/settings/watching", t("settings.watching")),
          page("/settings/preferences", t("settings.preferences")),
        ]
      : [page("/login", t("signIn.do")), page("/login/sign-up", t("signUp.title"))]),
    ...useAdminPlaces().map(([href, name]) => page(href, t(`admin.${name}`))),
  ];
  const organizations = (me?.organizations ?? []).map(
    ({ name }): Entry => ({ key: `organization ${name}`, icon: Building2, name, href: `/${name}` }),
  );
  const found = (q.length > 1 ? (boxes.data?.data ?? []) : []).map(({ organization, name, id }): Entry => {
    const path = `${organization}/${name}`;
    return { key: id, icon: Package, name: path, href: `/${path}` };
  });
  const wanted = q.toLowerCase();
  const fits = ({ name }: Entry) => name.toLowerCase().includes(wanted);
  return [...[...pages, ...organizations].filter(fits), ...found];
}
