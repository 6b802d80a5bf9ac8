//! Diagnostics as people see them: the line, the place in it, what to do.

use std::fmt;
use std::sync::Arc;

use decnet_core::diagnostic::{Level, Origin, Source};
use decnet_core::{Diagnostic, diagnostic};
use miette::{GraphicalReportHandler, LabeledSpan, NamedSource, Severity, SourceCode};

/// All of them, one after the other, and a count.
pub(crate) fn render(found: &[Diagnostic]) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new().with_links(false).with_width(100);
    for diagnostic in found {
        let shown = Shown::of(diagnostic);
        if handler.render_report(&mut text, &shown).is_err() {
            // Formatting into a string cannot fail, but a diagnostic is never to be lost.
            text.push_str(&diagnostic.to_string());
        }
        text.push('\n');
    }
    let errors = found.iter().filter(|diagnostic| diagnostic.level == Level::Error).count();
    let warnings = found.iter().filter(|diagnostic| diagnostic.level == Level::Warning).count();
    if diagnostic::has_errors(found) {
        let s = |count: usize| if count == 1 { "" } else { "s" };
        text.push_str(&format!("{errors} error{}, {warnings} warning{}\n", s(errors), s(warnings)));
    }
    text
}

/// A diagnostic in miette's terms.
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    message: String,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
}

impl<'a> Shown<'a> {
    fn of(diagnostic: &'a Diagnostic) -> Shown<'a> {
        let mut message = diagnostic.message.clone();
        let mut labels = Vec::new();
        let mut file: Option<&Arc<Source>> = None;
        match &diagnostic.origin {
            Origin::File { source, range } => {
                file = Some(source);
                message = format!("{}: {message}", diagnostic.origin);
                labels.push(LabeledSpan::new_primary_with_span(None, range.clone()));
            }
            Origin::Flag(flag) => message = format!("{flag}: {message}"),
            Origin::Program => {}
        }
        for related in &diagnostic.related {
            match (&related.origin, file) {
                (Origin::File { source, range }, Some(file)) if Arc::ptr_eq(source, file) => {
                    labels.push(LabeledSpan::new_with_span(Some(related.label.clone()), range.clone()));
                }
                (origin, _) => message = format!("{message} ({}: {origin})", related.label),
            }
        }
        let source = file.map(|file| NamedSource::new(&file.name, file.text.clone()));
        Shown { diagnostic, message, source, labels }
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.diagnostic, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.diagnostic.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Note => Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }
}
