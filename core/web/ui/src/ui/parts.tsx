// Small parts: buttons, fields, badges, notices, and what shows while something is on its way.
import { CircleAlert, CircleCheck, Info, type LucideIcon, TriangleAlert } from "lucide-react";
import { type ComponentProps, createContext, type ReactNode, useContext, useId } from "react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../api/problem.ts";

export type Tone = "good" | "warn" | "bad" | "plain";

interface ButtonProps extends ComponentProps<"button"> {
  look?: "main" | "danger" | "quiet" | "plain";
  size?: "small";
  busy?: boolean;
}

export function Button({ look = "plain", size, busy, className = "", disabled, ...rest }: ButtonProps) {
  const classes = ["button", look, size ?? "", className].join(" ");
  return <button type="button" className={classes} disabled={disabled || busy} aria-busy={busy} {...rest} />;
}

/** A button that is only a picture needs its name all the same. */
export function IconButton({ label, icon: Icon, ...rest }: ButtonProps & { label: string; icon: LucideIcon }) {
  return (
    <Button {...rest} className="icon" aria-label={label} title={label}>
      <Icon aria-hidden />
    </Button>
  );
}

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`badge ${tone}`}>{children}</span>;
}

/** The problem of the form around a field, which says what was wrong with it. */
export const FormProblem = createContext<Problem | undefined>(undefined);

interface FieldProps {
  label: ReactNode;
  /** The name of the field in the API, by which its reasons come. */
  name?: string;
  hint?: ReactNode;
  children: (props: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean; name?: string }) => ReactNode;
}

export function Field({ label, name, hint, children }: FieldProps) {
  const id = useId();
  const wrong = useContext(FormProblem)?.fields[name ?? ""];
  const described = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, name, "aria-describedby": described || undefined, "aria-invalid": !!wrong || undefined })}
      {wrong && (
        <p className="wrong" id={`${id}-wrong`}>
          {wrong}
        </p>
      )}
      {hint && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

type TextFieldProps = Omit<FieldProps, "children"> & Omit<ComponentProps<"input">, "name" | "children">;

export function TextField({ label, name, hint, ...rest }: TextFieldProps) {
  return (
    <Field label={label} name={name} hint={hint}>
      {(props) => <input className="input" type="text" {...rest} {...props} />}
    </Field>
  );
}

type TextAreaProps = Omit<FieldProps, "children"> & Omit<ComponentProps<"textarea">, "name" | "children">;

export function TextArea({ label, name, hint, ...rest }: TextAreaProps) {
  return (
    <Field label={label} name={name} hint={hint}>
      {(props) => <textarea className="input" {...rest} {...props} />}
    </Field>
  );
}

type SelectProps = Omit<FieldProps, "children"> & Omit<ComponentProps<"select">, "name">;

export function Select({ label, name, hint, children, ...rest }: SelectProps) {
  return (
    <Field label={label} name={name} hint={hint}>
      {(props) => (
        <select className="input" {...rest} {...props}>
          {children}
        </select>
      )}
    </Field>
  );
}

export function Check({
  label,
  hint,
  ...rest
}: Omit<ComponentProps<"input">, "children"> & { label: ReactNode; hint?: ReactNode }) {
  return (
    <label className="check">
      <input type="checkbox" {...rest} />
      <span>
        {label}
        {hint && <span className="soft small"> {hint}</span>}
      </span>
    </label>
  );
}

const NOTICE_ICONS: Record<Tone, LucideIcon> = {
  good: CircleCheck,
  warn: TriangleAlert,
  bad: CircleAlert,
  plain: Info,
};

export function Notice({
  tone = "plain",
  children,
  role,
}: {
  tone?: Tone;
  children: ReactNode;
  role?: "alert" | "status";
}) {
  const Icon = NOTICE_ICONS[tone];
  return (
    <div className={`notice ${tone}`} role={role}>
      <Icon aria-hidden />
      <div className="stack tight">{children}</div>
    </div>
  );
}

/** What went wrong, in the server's words, with what finds it in the server's log. */
export function ProblemNotice({ problem }: { problem: Problem | undefined | null }) {
  const { t } = useTranslation();
  if (!problem) return null;
  const isOurs = problem.status >= 500 && problem.requestId;
  return (
    <Notice tone="bad" role="alert">
      <p>{sentence(problem.message) || t("problem.outOfReach")}</p>
      {isOurs && <p className="small soft">{t("problem.request", { id: problem.requestId })}</p>}
    </Notice>
  );
}

/** The API's messages are parts of log lines as well, so they begin with a small letter and have no full stop. */
export function sentence(message: string): string {
  // an address is written as it is
  const isWord = !/^https?:/.test(message);
  const first = isWord ? message.charAt(0).toUpperCase() + message.slice(1) : message;
  return !first || /[.!?…]$/.test(first) ? first : `${first}.`;
}

interface EmptyProps {
  icon: LucideIcon;
  title: ReactNode;
  /** It is all that the page shows, so that its title is the page's. */
  isPage?: boolean;
  children?: ReactNode;
}

/** There is nothing yet: says what would be here, and how it gets here. */
export function Empty({ icon: Icon, title, isPage, children }: EmptyProps) {
  const Title = isPage ? "h1" : "h2";
  return (
    <div className="empty">
      <Icon aria-hidden />
      <Title>{title}</Title>
      {children}
    </div>
  );
}

/** Lines where a list will be. */
export function Bones({ lines = 4 }: { lines?: number }) {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t("loading")}>
      <ul className="list" aria-hidden>
        {Array.from({ length: lines }, (_, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
          <li key={index} className="stack tight">
            <span className="bone third" />
            <span className="bone half" />
          </li>
        ))}
      </ul>
    </div>
  );
}

export function PageBones() {
  return (
    <div className="wrap stack loose">
      <span className="bone title" />
      <Bones />
    </div>
  );
}
