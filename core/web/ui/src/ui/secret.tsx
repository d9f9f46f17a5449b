import { useTranslation } from "react-i18next";
import { Dialog } from "./dialog.tsx";
import { Button, Notice } from "./parts.tsx";
import { Snippet } from "./snippet.tsx";

interface SecretDialogProps {
  title: string;
  secret: string | undefined;
  onClose: () => void;
}

/** A secret that the server shows once. */
export function SecretDialog({ title, secret, onClose }: SecretDialogProps) {
  const { t } = useTranslation();
  return (
    <Dialog open={secret !== undefined} title={title} onClose={onClose}>
      <Notice tone="warn">{t("secret.once")}</Notice>
      {secret && <Snippet text={secret} label={title} />}
      <div className="actions">
        <Button look="main" onClick={onClose}>
          {t("secret.kept")}
        </Button>
      </div>
    </Dialog>
  );
}
