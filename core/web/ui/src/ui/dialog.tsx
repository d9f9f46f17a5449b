// A dialog over the page: it takes the focus, gives it back, and closes with Escape.
import { Dialog as Base } from "@base-ui/react/dialog";
import type { ReactElement, ReactNode } from "react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, type Problem } from "../api/problem.ts";
import { Button, FormProblem, ProblemNotice, TextField } from "./parts.tsx";

interface DialogProps {
  title: ReactNode;
  description?: ReactNode;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
}

export function Dialog({ title, description, open, onClose, children }: DialogProps) {
  return (
    <Base.Root open={open} onOpenChange={(next) => next || onClose()}>
      <Base.Portal>
        <Base.Backdrop className="backdrop" />
        <Base.Popup className="dialog stack">
          <div>
            <Base.Title>{title}</Base.Title>
            {description && <Base.Description className="soft">{description}</Base.Description>}
          </div>
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

interface FormDialogProps {
  /** What opens it. */
  trigger: (open: () => void) => ReactElement;
  title: ReactNode;
  description?: ReactNode;
  submit: ReactNode;
  danger?: boolean;
  /** What has to be typed first, where something is destroyed. */
  confirm?: string;
  /** Does it; what it throws is shown, and the dialog stays open. */
  onSubmit: (form: FormData) => Promise<unknown>;
  children?: ReactNode;
}

/** A button, and the form that it opens. */
export function FormDialog({
  trigger,
  title,
  description,
  submit,
  danger,
  confirm,
  onSubmit,
  children,
}: FormDialogProps) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState<Problem>();
  const begin = () => {
    setProblem(undefined);
    setTyped("");
    setOpen(true);
  };
  const send = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await onSubmit(new FormData(event.currentTarget));
      setOpen(false);
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {trigger(begin)}
      <Dialog title={title} description={description} open={open} onClose={() => setOpen(false)}>
        <FormProblem value={problem}>
          <form className="stack" onSubmit={send} noValidate={false}>
            {children}
            {confirm !== undefined && (
              <TextField
                label={t("confirmName", { name: confirm })}
                autoComplete="off"
                value={typed}
                onChange={(event) => setTyped(event.target.value)}
              />
            )}
            <ProblemNotice problem={problem} />
            <div className="actions">
              <Button look="quiet" onClick={() => setOpen(false)}>
                {t("cancel")}
              </Button>
              <Button
                type="submit"
                look={danger ? "danger" : "main"}
                busy={busy}
                disabled={confirm !== undefined && typed !== confirm}
              >
                {submit}
              </Button>
            </div>
          </form>
        </FormProblem>
      </Dialog>
    </>
  );
}

/** The text of a field, or nothing where it was left empty. */
export function filled(form: FormData, name: string): string | undefined {
  const value = form.get(name);
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}
