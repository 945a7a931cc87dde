// The editor of a block: CodeMirror with what Python needs and no more. dlnotes/book/vendored.py makes one file of it.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { pythonLanguage } from "@codemirror/lang-python";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, keymap } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

const point = StateEffect.define();
const pointed = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    if (transaction.docChanged) marks = Decoration.none;
    for (const effect of transaction.effects.filter((effect) => effect.is(point))) {
      const { doc } = transaction.state;
      const there = effect.value >= 1 && effect.value <= doc.lines;
      const mark = Decoration.line({ class: "editor__wrong" });
      marks = there ? Decoration.set(mark.range(doc.line(effect.value).from)) : Decoration.none;
    }
    return marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// Opens an editor in `parent`. `changed` hears the text, `run` is called by Shift-Enter and Control-Enter.
export function open({ parent, text, label, changed, run }) {
  const go = () => (run(), true);
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        keymap.of([{ key: "Shift-Enter", run: go }, { key: "Mod-Enter", run: go }, indentWithTab, ...defaultKeymap, ...historyKeymap]),
        history(),
        indentUnit.of("    "),
        indentOnInput(),
        bracketMatching(),
        pythonLanguage,
        syntaxHighlighting(classHighlighter),
        pointed,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
        EditorView.updateListener.of((update) => update.docChanged && changed(view.state.doc.toString())),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    focus: () => view.focus(),
    point: (line) => view.dispatch({ effects: point.of(line) }),
    close: () => view.destroy(),
  };
}
