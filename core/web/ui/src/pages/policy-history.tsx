// Earlier versions of the policy: who changed it, when and why, and the way back.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Eye, RotateCcw } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { act } from "../api/act.ts";
import { api, ok, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { Dialog, FormDialog, filled } from "../ui/dialog.tsx";
import { moment } from "../ui/format.ts";
import { Pager } from "../ui/pager.tsx";
import { Badge, Bones, Button, IconButton, ProblemNotice, TextField } from "../ui/parts.tsx";
import { Snippet } from "../ui/snippet.tsx";
import { Actions, Table } from "../ui/table.tsx";

const VERSIONS = "/api/policies/versions";

export function PolicyHistory({ inForce }: { inForce: number }) {
  const { t } = useTranslation();
  const [page, setPage] = useState(1);
  const [shown, setShown] = useState<number>();
  const list = useQuery({
    queryKey: ["policy", "versions", page],
    queryFn: () => whole(api.GET(VERSIONS, { params: { query: { page } } })),
    placeholderData: keepPreviousData,
  });
  const rollBack = (number: number, form: FormData) => {
    const body = { message: filled(form, "message") ?? "" };
    return act(whole(api.POST(`${VERSIONS}/{number}/rollback`, { params: { path: { number: `${number}` } }, body })), [
      "policy",
    ]);
  };
  return (
    <section className="stack">
      <ProblemNotice problem={list.error && asProblem(list.error)} />
      {!list.data && !list.error && <Bones />}
      {list.data && (
        <Table heads={[t("word.version"), t("policy.message"), t("audit.who"), t("audit.when"), undefined]}>
          {list.data.data.map((one) => (
            <tr key={one.version}>
              <td className="name number">
                <span className="row">
                  {one.version}
                  {one.version === inForce && <Badge tone="good">{t("policy.inForce")}</Badge>}
                </span>
              </td>
              <td data-label={t("policy.message")}>{one.message}</td>
              <td data-label={t("audit.who")}>{one.author ?? one.origin}</td>
              <td data-label={t("audit.when")} className="soft">
                {moment(one.createdAt)}
              </td>
              <Actions>
                <IconButton
                  size="small"
                  look="quiet"
                  icon={Eye}
                  label={t("policy.show", { number: one.version })}
                  onClick={() => setShown(one.version)}
                />
                {one.version !== inForce && (
                  <FormDialog
                    trigger={(open) => (
                      <IconButton
                        size="small"
                        look="quiet"
                        icon={RotateCcw}
                        label={t("policy.rollBack", { number: one.version })}
                        onClick={open}
                      />
                    )}
                    title={t("policy.rollBack", { number: one.version })}
                    description={t("policy.rollBackText")}
                    submit={t("policy.rollBackDo")}
                    onSubmit={(form) => rollBack(one.version, form)}
                  >
                    <TextField label={t("policy.message")} name="message" autoComplete="off" required />
                  </FormDialog>
                )}
              </Actions>
            </tr>
          ))}
        </Table>
      )}
      <Pager page={list.data?.page} onPage={setPage} />
      {shown !== undefined && <Shown number={shown} onClose={() => setShown(undefined)} />}
    </section>
  );
}

function Shown({ number, onClose }: { number: number; onClose: () => void }) {
  const { t } = useTranslation();
  const version = useQuery({
    queryKey: ["policy", "versions", "text", number],
    queryFn: () => ok(api.GET(`${VERSIONS}/{number}`, { params: { path: { number: `${number}` } } })),
  });
  return (
    <Dialog open title={t("policy.version", { number })} onClose={onClose}>
      <ProblemNotice problem={version.error && asProblem(version.error)} />
      {version.data?.files.map((file) => (
        <details key={file.name} className="fold" open={file.name.endsWith(".csv")}>
          <summary className="mono">{file.name}</summary>
          <Snippet text={file.text} label={file.name} />
        </details>
      ))}
      <div className="actions">
        <Button onClick={onClose}>{t("close")}</Button>
      </div>
    </Dialog>
  );
}
