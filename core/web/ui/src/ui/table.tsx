// A list of things with several facts each. Where there is no room, each row becomes a list of its facts.
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

interface TableProps {
  /** The heads of the columns; nothing for the one with actions. */
  heads: (string | undefined)[];
  label?: string;
  children: ReactNode;
}

export function Table({ heads, label, children }: TableProps) {
  const { t } = useTranslation();
  return (
    <div className="table-wrap">
      <table className="table folds" aria-label={label}>
        <thead>
          <tr>
            {heads.map((head) =>
              head ? <th key={head}>{head}</th> : <th key="" className="end" aria-label={t("actions")} />,
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** The last cell of a row: what can be done with it. */
export function Actions({ children }: { children: ReactNode }) {
  return (
    <td className="end">
      <span className="row nowrap-row">{children}</span>
    </td>
  );
}
