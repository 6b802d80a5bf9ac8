//! Diagnostics as people see them: what is wrong, the line and the place in it, what to do.

use std::fmt;
use std::sync::Arc;

use decnet_core::Diagnostic;
use decnet_core::diagnostic::{Level, Origin, Source};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode};

use crate::excerpt::{Excerpt, harmless};
use crate::output::count;

/// All of them, one after the other.
pub(crate) fn render(found: &[Diagnostic]) -> String {
    let mut text = String::new();
    // Words instead of signs: `x` and `>` say little, and a program that filters the text has nothing to
    // hold on to.
    let mut theme = GraphicalTheme::default();
    theme.characters.error = "error:".to_owned();
    theme.characters.warning = "warning:".to_owned();
    theme.characters.advice = "note:".to_owned();
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
    let mut last: Option<(Arc<Source>, Arc<Excerpt>)> = None;
    for diagnostic in found {
        if let Origin::File { source, .. } = &diagnostic.origin
            && last.as_ref().is_none_or(|(of, _)| !Arc::ptr_eq(of, source))
        {
            last = Some((Arc::clone(source), Arc::new(Excerpt::of(source))));
        }
        let shown = Shown::of(diagnostic, last.as_ref());
        if handler.render_report(&mut text, &shown).is_err() {
            // Formatting into a string cannot fail, but a diagnostic is never to be lost.
            text.push_str(&harmless(&diagnostic.to_string()));
        }
        text.push('\n');
    }
    text
}

/// How many there are: "2 errors, 1 warning". Nothing where there are none; notes do not count.
pub(crate) fn summary(found: &[Diagnostic]) -> String {
    let of = |level| found.iter().filter(|diagnostic| diagnostic.level == level).count();
    let parts = [(of(Level::Error), "error"), (of(Level::Warning), "warning")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    parts.map(|(number, noun)| count(number, noun)).collect::<Vec<_>>().join(", ")
}

/// A diagnostic in miette's terms.
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    message: String,
    help: Option<String>,
    excerpt: Option<Arc<Excerpt>>,
    labels: Vec<LabeledSpan>,
}

impl<'a> Shown<'a> {
    /// `file` is the source of the diagnostic's own place, where it has one.
    fn of(diagnostic: &'a Diagnostic, file: Option<&(Arc<Source>, Arc<Excerpt>)>) -> Shown<'a> {
        let mut message = harmless(&diagnostic.message).into_owned();
        let mut labels = Vec::new();
        let mut excerpt = None;
        match (&diagnostic.origin, file) {
            (Origin::File { range, .. }, Some((_, file))) if file.is_narrow(&file.range(range)) => {
                labels.push(LabeledSpan::new_primary_with_span(None, file.range(range)));
                excerpt = Some(Arc::clone(file));
            }
            (origin @ (Origin::File { .. } | Origin::Flag(_)), _) => {
                message = format!("{}: {message}", harmless(&origin.to_string()));
            }
            (Origin::Program, _) => {}
        }
        for related in &diagnostic.related {
            match (&related.origin, &excerpt, file) {
                (Origin::File { source, range }, Some(excerpt), Some((of, _)))
                    if Arc::ptr_eq(source, of) && excerpt.is_narrow(&excerpt.range(range)) =>
                {
                    let label = harmless(&related.label).into_owned();
                    labels.push(LabeledSpan::new_with_span(Some(label), excerpt.range(range)));
                }
                (origin, ..) => {
                    let place = harmless(&origin.to_string()).into_owned();
                    message = format!("{message} ({}: {place})", harmless(&related.label));
                }
            }
        }
        message = format!("{message} [{}]", diagnostic.code);
        let help = diagnostic.help.as_deref().map(|help| harmless(help).into_owned());
        Shown { diagnostic, message, help, excerpt, labels }
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
    fn severity(&self) -> Option<Severity> {
        Some(match self.diagnostic.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Note => Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_deref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }
}
