// A text with line numbers and problems at their place.
//
// The editor makes its own styles. In a shadow root they are style sheet objects, which the content security policy
// allows; in the page they would be `<style>` elements, which it does not.
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { search, searchKeymap } from "@codemirror/search";
import { EditorState, type Text } from "@codemirror/state";
import {
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  MatchDecorator,
  ViewPlugin,
} from "@codemirror/view";
import { useEffect, useRef } from "react";

export interface Mark {
  line: number;
  column: number;
  message: string;
  severity: "error" | "warning";
}

interface CodeEditorProps {
  text: string;
  label: string;
  readOnly?: boolean;
  marks: Mark[];
  onText: (text: string) => void;
}

const theme = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", minHeight: "300px", maxHeight: "62vh" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--ink-soft)", border: "0" },
  ".cm-activeLine": { backgroundColor: "transparent" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-comment": { color: "var(--ink-soft)", fontStyle: "italic" },
  ".cm-kind": { color: "var(--accent)", fontWeight: "600" },
  ".cm-deny": { color: "var(--bad)" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", border: "1px solid var(--line)", color: "var(--ink)" },
});

const looks = new MatchDecorator({
  regexp: /^\s*#.*|^(?:p|g|g2)(?=,)|^\[\w+\]|\bdeny\b/gm,
  decoration: ([text]) => {
    const name = text.trim().startsWith("#") ? "cm-comment" : text === "deny" ? "cm-deny" : "cm-kind";
    return Decoration.mark({ class: name });
  },
});

const colors = ViewPlugin.define(
  (view) => ({
    shown: looks.createDeco(view),
    update(update) {
      this.shown = looks.updateDeco(update, this.shown);
    },
  }),
  { decorations: ({ shown }) => shown },
);

export function CodeEditor({ text, label, readOnly = false, marks, onText }: CodeEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const tell = useRef(onText);
  tell.current = onText;
  const first = useRef(text);
  useEffect(() => {
    if (!host.current) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const made = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          search(),
          lintGutter(),
          colors,
          theme,
          keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, ...lintKeymap]),
          EditorState.readOnly.of(readOnly),
          EditorView.contentAttributes.of({ "aria-label": label }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) tell.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    // what scrolls has to be reached by keyboard, also where it is only read
    made.scrollDOM.tabIndex = 0;
    view.current = made;
    return () => made.destroy();
  }, [label, readOnly]);
  useEffect(() => {
    const state = view.current?.state;
    if (state)
      view.current?.dispatch(
        setDiagnostics(
          state,
          marks.map((mark) => diagnostic(state.doc, mark)),
        ),
      );
  }, [marks]);
  return <div className="code-editor" ref={host} />;
}

function diagnostic(doc: Text, { line, column, message, severity }: Mark): Diagnostic {
  const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
  const from = Math.min(at.from + Math.max(column - 1, 0), at.to);
  return { from, to: Math.max(at.to, from), message, severity };
}
