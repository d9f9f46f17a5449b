// Which store takes the new files of an organization, and a platform admin's choice of another one.
import { useQuery } from "@tanstack/react-query";
import { HardDrive } from "lucide-react";
import { useTranslation } from "react-i18next";
import { act } from "../api/act.ts";
import { api, ok, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { stores, useMay } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { bytes } from "../ui/format.ts";
import { Bones, Button, ProblemNotice, Select } from "../ui/parts.tsx";
import { Ago } from "../ui/time.tsx";

const PLACEMENT = "/api/organization/{organization}/placement";

export function Placement({ organization }: { organization: string }) {
  const { t } = useTranslation();
  const params = { path: { organization } };
  const placement = useQuery({
    queryKey: ["organization", organization, "placement"],
    queryFn: () => ok(api.GET(PLACEMENT, { params })),
  });
  const mayChoose = useMay({ organization })("storage", "update");
  const maySeeStores = useMay({})("storage", "read");
  return (
    <section className="stack">
      <div className="row between">
        <h2>{t("placement.title")}</h2>
        {mayChoose && maySeeStores && placement.data && (
          <Choose organization={organization} placement={placement.data} />
        )}
      </div>
      <ProblemNotice problem={placement.error && asProblem(placement.error)} />
      {!placement.data && !placement.error && <Bones lines={1} />}
      {placement.data && <Takes placement={placement.data} />}
    </section>
  );
}

function Takes({ placement }: { placement: Schemas["PlacementView"] }) {
  const { t } = useTranslation();
  const { chosenAt, store, takes } = placement;
  return (
    <>
      <p className="soft small">
        {t(store ? "placement.chosen" : "placement.byRules")}
        {store && chosenAt && (
          <>
            {" · "}
            <Ago at={chosenAt} />
          </>
        )}
      </p>
      <ul className="list">
        {takes.map(({ largerThan, store: name }) => (
          <li key={`${largerThan}`} className="row between">
            <span>
              {largerThan == null
                ? t(takes.length > 1 ? "placement.smallest" : "placement.all")
                : t("placement.largerThan", { size: bytes(largerThan) })}
            </span>
            <span className="name mono">{name}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Choose({ organization, placement }: { organization: string; placement: Schemas["PlacementView"] }) {
  const { t } = useTranslation();
  const all = useQuery(stores).data?.filter(({ plugin }) => plugin) ?? [];
  const set = (form: FormData) => {
    const body = { store: filled(form, "store") ?? null };
    return act(whole(api.PUT(PLACEMENT, { params: { path: { organization } }, body })), [
      "organization",
      organization,
      "placement",
    ]);
  };
  return (
    <FormDialog
      trigger={(open) => (
        <Button onClick={open}>
          <HardDrive aria-hidden />
          {t("placement.choose")}
        </Button>
      )}
      title={t("placement.choose")}
      description={t("placement.chooseText")}
      submit={t("save")}
      onSubmit={set}
    >
      <Select label={t("placement.store")} name="store" defaultValue={placement.store ?? ""}>
        <option value="">{t("placement.rulesDecide")}</option>
        {all.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
    </FormDialog>
  );
}
