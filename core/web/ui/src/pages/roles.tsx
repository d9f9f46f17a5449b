import { useTranslation } from "react-i18next";

const ROLES = ["member", "admin", "owner"] as const;

export function RoleOptions() {
  const { t } = useTranslation();
  return ROLES.map((role) => (
    <option key={role} value={role}>
      {t(`role.${role}`)}
    </option>
  ));
}
