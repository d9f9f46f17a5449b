// The first page: find a box, or learn how one gets here.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Package, Search } from "lucide-react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../api/problem.ts";
import { discover, useProfile } from "../api/queries.ts";
import { useSession } from "../api/session.ts";
import { Avatar } from "../ui/avatar.tsx";
import { BoxRows } from "../ui/box-list.tsx";
import { Bones, Empty, ProblemNotice } from "../ui/parts.tsx";
import { Snippet } from "../ui/snippet.tsx";
import { useTitle } from "../ui/title.ts";

const SHOWN = 5;

export function Home() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const latest = useQuery(discover({ sort: "updated", order: "desc" }, SHOWN));
  const isEmpty = latest.data?.page.total === 0;
  useTitle(undefined);
  const search = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const q = new FormData(event.currentTarget).get("q");
    navigate({ to: "/discover", search: { q: String(q) || undefined } });
  };
  return (
    <div className="wrap stack loose">
      <section className="hero">
        <h1>{t("home.title")}</h1>
        <p className="lead">{t("home.lead")}</p>
        <form onSubmit={search}>
          <label className="search">
            <span className="unseen">{t("discover.search")}</span>
            <Search aria-hidden />
            <input className="input" type="search" name="q" placeholder={t("discover.search")} maxLength={128} />
          </label>
        </form>
      </section>
      <OwnOrganizations />
      {latest.error && <ProblemNotice problem={asProblem(latest.error)} />}
      {isEmpty ? <FirstBox /> : <Lists latest={latest.data?.data} />}
      <HowTo />
    </div>
  );
}

function Lists({ latest }: { latest: React.ComponentProps<typeof BoxRows>["boxes"] | undefined }) {
  const { t } = useTranslation();
  const most = useQuery(discover({ sort: "downloads", order: "desc" }, SHOWN));
  return (
    <div className="two">
      <section className="stack">
        <div className="row between">
          <h2>{t("home.latest")}</h2>
          <Link to="/discover" search={{ sort: "updated", order: "desc" }} className="small">
            {t("home.all")}
          </Link>
        </div>
        {latest ? <BoxRows boxes={latest} /> : <Bones />}
      </section>
      <section className="stack">
        <div className="row between">
          <h2>{t("home.most")}</h2>
          <Link to="/discover" search={{ sort: "downloads", order: "desc" }} className="small">
            {t("home.ranking")}
          </Link>
        </div>
        {most.data ? <BoxRows boxes={most.data.data} /> : <Bones />}
      </section>
    </div>
  );
}

function OwnOrganizations() {
  const { t } = useTranslation();
  const me = useProfile();
  if (!me || me.organizations.length === 0) return null;
  return (
    <section className="stack">
      <h2>{t("home.yours")}</h2>
      <div className="row">
        {me.organizations.map(({ name, role }) => (
          <Link key={name} to="/$organization" params={{ organization: name }} className="button chip">
            <Avatar name={name} look="square tiny" />
            {name}
            <span className="soft small">{t(`role.${role}`)}</span>
          </Link>
        ))}
      </div>
    </section>
  );
}

function FirstBox() {
  const { t } = useTranslation();
  const current = useSession();
  const me = useProfile();
  const own = me?.organizations[0];
  return (
    <Empty icon={Package} title={t("home.empty")}>
      <p>{current ? t("home.emptyMember") : t("home.emptyVisitor")}</p>
      {current && own && (
        <Link to="/$organization" params={{ organization: own.name }} className="button main">
          {t("home.goTo", { name: own.name })}
        </Link>
      )}
      {current && me && !own && (
        <Link to="/organizations" className="button main">
          {t("organizations.create")}
        </Link>
      )}
    </Empty>
  );
}

function HowTo() {
  const { t } = useTranslation();
  return (
    <section className="card stack middle">
      <h2>{t("home.use")}</h2>
      <p className="soft">{t("home.useText")}</p>
      <Snippet
        label={t("home.use")}
        text={`export VAGRANT_SERVER_URL=${location.origin}\nvagrant init ORGANIZATION/BOX\nvagrant up`}
      />
    </section>
  );
}
