// All boxes that the caller may see. What is searched for is the address, so that it can be passed on.
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { LayoutGrid, List, PackageSearch, Search, X } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../api/problem.ts";
import { type BoxSearch, discover } from "../api/queries.ts";
import { useSession } from "../api/session.ts";
import { BoxCards, BoxRows } from "../ui/box-list.tsx";
import { Pager } from "../ui/pager.tsx";
import { Bones, Button, Empty, IconButton, ProblemNotice, Select, TextField } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";

/** Typing is over when nothing came for so long. */
const TYPED_MS = 220;
/** The server counts no further, unless somebody pages so far. */
const EXACT_MAX = 1_999;
const LOOK_KEY = "boxvault.discover.look";

export function Discover() {
  const { t } = useTranslation();
  const search = useSearch({ from: "/discover" });
  const navigate = useNavigate();
  const [look, setLook] = useState(localStorage.getItem(LOOK_KEY) ?? "cards");
  const found = useQuery(discover(search));
  useTitle(t("nav.discover"));
  const change = (next: Partial<BoxSearch>) =>
    navigate({ to: "/discover", search: { ...search, page: undefined, ...next }, replace: true });
  const choose = (next: string) => {
    localStorage.setItem(LOOK_KEY, next);
    setLook(next);
  };
  const boxes = found.data?.data;
  const total = found.data?.page.total ?? 0;
  return (
    <div className="wrap stack">
      <div className="row between">
        <h1>{t("discover.title")}</h1>
        <div className="row">
          <IconButton
            icon={LayoutGrid}
            look={look === "cards" ? "plain" : "quiet"}
            aria-pressed={look === "cards"}
            label={t("discover.cards")}
            onClick={() => choose("cards")}
          />
          <IconButton
            icon={List}
            look={look === "rows" ? "plain" : "quiet"}
            aria-pressed={look === "rows"}
            label={t("discover.rows")}
            onClick={() => choose("rows")}
          />
        </div>
      </div>
      <SearchBox value={search.q ?? ""} onValue={(q) => change({ q: q || undefined })} />
      <Filters search={search} change={change} />
      {found.error && <ProblemNotice problem={asProblem(found.error)} />}
      <p className="soft small number" role="status">
        {found.data ? t(total > EXACT_MAX ? "discover.many" : "discover.count", { count: total }) : t("loading")}
      </p>
      {!boxes && !found.error && <Bones lines={6} />}
      {boxes && boxes.length === 0 && <Nothing search={search} reset={() => navigate({ to: "/discover" })} />}
      {boxes && boxes.length > 0 && (look === "cards" ? <BoxCards boxes={boxes} /> : <BoxRows boxes={boxes} />)}
      <Pager page={found.data?.page} onPage={(page) => change({ page })} />
    </div>
  );
}

interface SearchBoxProps {
  value: string;
  onValue: (value: string) => void;
  label?: string;
}

export function SearchBox({ value, onValue, label }: SearchBoxProps) {
  const { t } = useTranslation();
  const name = label ?? t("discover.search");
  const [typed, setTyped] = useState(value);
  // the address may change by other ways than typing
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed.trim() === value) return;
    const timer = setTimeout(() => onValue(typed.trim()), TYPED_MS);
    return () => clearTimeout(timer);
  });
  return (
    <label className="search">
      <span className="unseen">{name}</span>
      <Search aria-hidden />
      <input
        className="input"
        type="search"
        value={typed}
        maxLength={128}
        placeholder={name}
        onChange={(event) => setTyped(event.target.value)}
      />
    </label>
  );
}

const PROVIDERS = ["virtualbox", "libvirt", "vmware_desktop", "hyperv", "parallels", "qemu", "docker"];
const ARCHITECTURES = ["amd64", "arm64"];

function Filters({ search, change }: { search: BoxSearch; change: (next: Partial<BoxSearch>) => void }) {
  const { t } = useTranslation();
  const current = useSession();
  const sort = search.sort ? `${search.sort} ${search.order ?? "asc"}` : "";
  return (
    <div className="filters">
      <Select
        label={t("discover.sort")}
        value={sort}
        onChange={(event) => {
          const [by, order] = event.target.value.split(" ");
          change({ sort: by || undefined, order: order as BoxSearch["order"] });
        }}
      >
        <option value="">{search.q ? t("discover.byRelevance") : t("discover.byName")}</option>
        <option value="downloads desc">{t("discover.byDownloads")}</option>
        <option value="updated desc">{t("discover.byUpdate")}</option>
        <option value="created desc">{t("discover.byAge")}</option>
      </Select>
      <Suggested
        label={t("word.provider")}
        value={search.provider}
        words={PROVIDERS}
        onValue={(provider) => change({ provider })}
      />
      <Suggested
        label={t("word.architecture")}
        value={search.architecture}
        words={ARCHITECTURES}
        onValue={(architecture) => change({ architecture })}
      />
      <Suggested
        label={t("word.organization")}
        value={search.organization}
        onValue={(organization) => change({ organization })}
      />
      <Suggested label={t("word.tag")} value={search.tag} onValue={(tag) => change({ tag })} />
      {current && (
        <Select
          label={t("discover.visibility")}
          value={search.visibility ?? ""}
          onChange={(event) => change({ visibility: (event.target.value || undefined) as BoxSearch["visibility"] })}
        >
          <option value="">{t("discover.everything")}</option>
          <option value="public">{t("box.public")}</option>
          <option value="private">{t("box.private")}</option>
        </Select>
      )}
    </div>
  );
}

interface SuggestedProps {
  label: string;
  value: string | undefined;
  words?: string[];
  onValue: (value: string | undefined) => void;
}

/** A text that counts once it is left, or chosen of those that are often meant. */
function Suggested({ label, value = "", words = [], onValue }: SuggestedProps) {
  const { t } = useTranslation();
  const list = `words-${label}`;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onValue(String(new FormData(event.currentTarget).get("value")).trim() || undefined);
      }}
    >
      <TextField
        key={value}
        label={label}
        name="value"
        defaultValue={value}
        list={words.length > 0 ? list : undefined}
        placeholder={t("discover.any")}
        autoComplete="off"
        maxLength={128}
        onBlur={(event) => {
          const typed = event.target.value.trim();
          if (typed !== value) onValue(typed || undefined);
        }}
      />
      <datalist id={list}>
        {words.map((word) => (
          <option key={word} value={word} />
        ))}
      </datalist>
    </form>
  );
}

function Nothing({ search, reset }: { search: BoxSearch; reset: () => void }) {
  const { t } = useTranslation();
  const isFiltered = Object.values(search).some((value) => value !== undefined);
  return (
    <Empty icon={PackageSearch} title={isFiltered ? t("discover.nothing") : t("home.empty")}>
      <p>{isFiltered ? t("discover.nothingText") : t("home.emptyVisitor")}</p>
      {isFiltered && (
        <Button onClick={reset}>
          <X aria-hidden />
          {t("discover.reset")}
        </Button>
      )}
    </Empty>
  );
}
