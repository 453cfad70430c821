//! Sources of contracts: read, checked, and what is wrong with them shown.
use crate::{failure::Found, output::Output};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anyhow::{Context as _, ensure};
use icn_ccl::{
    Checked, Program, Resolver, Source, Sources, Span, check,
    diagnostic::{Diagnostic, Label},
    limits::MAX_SOURCE_BYTES,
};
use icn_model::Cid;
use serde_json::{Value, json};
use std::{fs, io::Read as _, path::Path};

/// The text of a file, of which more than the language allows is not read.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let read = || {
        let mut bytes = Vec::new();
        let most = u64::try_from(MAX_SOURCE_BYTES).unwrap_or(u64::MAX) + 1;
        fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
        ensure!(
            bytes.len() <= MAX_SOURCE_BYTES,
            "it has more than the {MAX_SOURCE_BYTES} bytes that a source may have: split it into modules"
        );
        Ok(String::from_utf8(bytes)?)
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// The program of a source file whose modules `modules` finds, if nothing is wrong with it; what is wrong is printed.
pub(super) fn program(output: &Output, path: &Path, modules: &dyn Resolver) -> anyhow::Result<Program> {
    let text = read(path)?;
    let names = Names::new(&text, path);
    accepted(output, check(&text, modules), &names)
}

/// The program that was checked, if nothing is wrong with it; what is wrong is printed.
pub(super) fn accepted(output: &Output, checked: Checked, names: &Names) -> anyhow::Result<Program> {
    report(output, &checked, names);
    checked.program.ok_or_else(|| {
        if output.is_json() {
            let found = diagnostics_json(&checked.diagnostics, &checked.sources, names);
            output.insist(json!({ "diagnostics": found }).to_string());
        }
        wrong(&checked.diagnostics).into()
    })
}

/// What source files are called here, by their content.
pub(super) struct Names(Vec<(Cid, String)>);

impl Names {
    /// Of one file, whose text is `text`.
    pub(super) fn new(text: &str, path: &Path) -> Self {
        let mut names = Self(Vec::new());
        names.add(Source::new(text).cid, path);
        names
    }

    pub(super) fn add(&mut self, cid: Cid, path: &Path) {
        self.0.push((cid, path.display().to_string()));
    }

    fn of(&self, cid: &Cid) -> String {
        let found = self.0.iter().find(|(known, _)| known == cid);
        found.map_or_else(|| cid.to_string(), |(_, name)| name.clone())
    }
}

/// The error that a command ends with after it has shown `diagnostics`.
pub(super) fn wrong(diagnostics: &[Diagnostic]) -> Found {
    let errors = diagnostics
        .iter()
        .filter(|found| !found.code.is_warning())
        .count();
    let plural = if errors == 1 { "" } else { "s" };
    Found(format!(
        "{errors} error{plural}; docs/reference/ccl.md has the language"
    ))
}

/// What was found, for programs.
pub(super) fn diagnostics_json(diagnostics: &[Diagnostic], sources: &Sources, names: &Names) -> Vec<Value> {
    let label_json = |label: &Label| {
        let (line, column) = sources.position(label.span);
        let file = sources.files().get(usize::from(label.span.source));
        json!({
            "file": file.map(|file| names.of(&file.cid)),
            "line": line,
            "column": column,
            "start": label.span.start,
            "end": label.span.end,
            "text": label.text,
        })
    };
    let diagnostic_json = |found: &Diagnostic| {
        json!({
            "code": found.code.to_string(),
            "warning": found.code.is_warning(),
            "message": found.message,
            "help": found.help,
            "labels": found.labels.iter().map(label_json).collect::<Vec<_>>(),
        })
    };
    diagnostics.iter().map(diagnostic_json).collect()
}

/// Prints what was found, with the lines that it is about.
pub(super) fn report(output: &Output, checked: &Checked, names: &Names) {
    if output.is_json() {
        return;
    }
    for found in &checked.diagnostics {
        let level = if found.code.is_warning() {
            Level::WARNING
        } else {
            Level::ERROR
        };
        let code = found.code.to_string();
        draw(
            output,
            level,
            Some(&code),
            &found.message,
            &found.labels,
            found.help.as_deref(),
            (&checked.sources, names),
        );
    }
}

/// Prints why a test failed, with where it stopped.
pub(super) fn draw_failure(output: &Output, message: &str, span: Span, (sources, names): (&Sources, &Names)) {
    let label = Label {
        span,
        text: String::new(),
    };
    draw(
        output,
        Level::ERROR,
        None,
        message,
        &[label],
        None,
        (sources, names),
    );
}

fn draw(
    output: &Output,
    level: Level<'_>,
    code: Option<&str>,
    message: &str,
    labels: &[Label],
    help: Option<&str>,
    (sources, names): (&Sources, &Names),
) {
    let title = level.primary_title(message);
    let title = match code {
        Some(code) => title.id(code),
        None => title,
    };
    let mut group = Group::with_title(title);
    for (number, file) in sources.files().iter().enumerate() {
        let here = labels
            .iter()
            .enumerate()
            .filter(|(_, label)| usize::from(label.span.source) == number);
        let annotations: Vec<_> = here
            .map(|(place, label)| {
                let kind = if place == 0 {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                let text = (!label.text.is_empty()).then_some(label.text.as_str());
                kind.span(within(&file.text, label.span)).label(text)
            })
            .collect();
        if !annotations.is_empty() {
            let snippet = Snippet::source(file.text.as_str()).path(names.of(&file.cid));
            group = group.element(snippet.annotations(annotations));
        }
    }
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if output.is_lively() {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    output.insist(renderer.render(&[group]));
}

/// The span as whole characters of the text.
fn within(text: &str, span: Span) -> std::ops::Range<usize> {
    let range = span.range();
    let fits = text.get(range.clone()).is_some();
    if fits { range } else { text.len()..text.len() }
}
