// A way in for people who see an organization and do not belong to it.
import { useQuery } from "@tanstack/react-query";
import { UserPlus } from "lucide-react";
import { useTranslation } from "react-i18next";
import { act } from "../api/act.ts";
import { api, whole } from "../api/client.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { Badge, Button, TextArea } from "../ui/parts.tsx";

export function AskToJoin({ organization }: { organization: Schemas["OrganizationView"] }) {
  const { t } = useTranslation();
  const { name } = organization;
  const own = useQuery({ queryKey: ["own-requests"], queryFn: () => whole(api.GET("/api/user/requests")) });
  const isWaiting = own.data?.data.some((one) => one.organization === name && one.status === "pending");
  if (isWaiting) return <Badge tone="warn">{t("join.waiting")}</Badge>;
  const ask = (form: FormData) => {
    const params = { path: { organization: name } };
    const body = { message: filled(form, "message") };
    return act(whole(api.POST("/api/organization/{organization}/requests", { params, body })), ["own-requests"]);
  };
  return (
    <FormDialog
      trigger={(open) => (
        <Button onClick={open}>
          <UserPlus aria-hidden />
          {t("join.ask")}
        </Button>
      )}
      title={t("invitation.to", { organization: name })}
      description={t("join.text")}
      submit={t("join.ask")}
      onSubmit={ask}
    >
      <TextArea label={t("join.message")} hint={t("optional")} name="message" maxLength={1000} />
    </FormDialog>
  );
}
