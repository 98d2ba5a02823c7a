//! A backtest on the terminal, as Markdown and as HTML: a strip with a mark a day, and every incident with its reason.

use std::fmt::Write as _;

use domain::evaluation::Severity;

use super::outcome::Told;
use super::report::{Day, Part, Report};

/// Days in a line of the strip.
const LINE: usize = 28;

/// For the terminal.
pub fn text(report: &Report) -> String {
    let mut out = format!("{}, {} to {} ({} days)\n", report.model, report.from, report.to, report.days);
    for part in &report.configurations {
        let _ = writeln!(out, "\n{}", summary(part));
        out.push_str(&strip(&part.strip));
        part.outcome.incidents.iter().for_each(|told| {
            let _ = writeln!(out, "  {}\n      {}", line(told), told.why);
        });
    }
    if let Some(differences) = &report.differences {
        let names: Vec<&str> =
            report.configurations.iter().map(|part| part.outcome.configuration.as_str()).collect();
        for (name, only) in names.iter().zip([&differences.only_this, &differences.only_other]) {
            let _ = writeln!(out, "\nOnly {name}: {}", counted(only.len(), "incident"));
            only.iter().for_each(|told| {
                let _ = writeln!(out, "  {}", line(told));
            });
        }
    }
    out
}

fn summary(part: &Part) -> String {
    let outcome = &part.outcome;
    let mut text = format!(
        "{}: {} and {} in {} ({:.1} and {:.1} a month)",
        outcome.configuration,
        counted(outcome.pages, "page"),
        counted(outcome.tickets, "ticket"),
        counted(outcome.windows, "window"),
        part.pages_a_month,
        part.tickets_a_month,
    );
    if !outcome.without_baseline.is_empty() {
        let _ = write!(text, "; without a baseline: {}", outcome.without_baseline.join(", "));
    }
    text
}

/// `2026-03-02  ··t····P··`: a mark a day.
fn strip(days: &[Day]) -> String {
    let mut out = String::new();
    for line in days.chunks(LINE) {
        let marks: String = line.iter().map(mark).collect();
        let _ = writeln!(out, "  {}  {marks}", line[0].day);
    }
    out + "  (P a page, t tickets, · nothing; a mark a day)\n"
}

fn mark(day: &Day) -> char {
    match (day.pages, day.tickets) {
        (0, 0) => '·',
        (0, _) => 't',
        _ => 'P',
    }
}

fn line(told: &Told) -> String {
    let ended = told.ended_at.map_or("still stood at the end".to_owned(), |at| format!("until {at}"));
    format!("{}  {}  {} ({ended})", told.told_at, severity(told.severity), told.title)
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Page => "PAGE  ",
        Severity::Ticket => "ticket",
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

pub fn markdown(report: &Report) -> String {
    let Report { model, from, to, days, .. } = report;
    let mut out = format!("# Backtest of {model}\n\n{from} to {to}, {days} days.\n");
    for part in &report.configurations {
        let _ = writeln!(out, "\n## {}\n\n```\n{}```\n", summary(part), strip(&part.strip));
        out.push_str("| told at | what | until | why |\n|---|---|---|---|\n");
        for told in &part.outcome.incidents {
            let ended = told.ended_at.map_or("still stood".to_owned(), |at| at.to_string());
            let cells = [told.title.as_str(), told.why.as_str()].map(|cell| cell.replace('|', "\\|"));
            let severity = severity(told.severity).trim();
            let _ = writeln!(out, "| {} | {severity}: {} | {ended} | {} |", told.told_at, cells[0], cells[1]);
        }
    }
    if let Some(differences) = &report.differences {
        let (this, other) = (differences.only_this.len(), differences.only_other.len());
        let _ = writeln!(
            out,
            "\n{} only by the first configuration, {} only by the second.",
            counted(this, "incident"),
            counted(other, "incident")
        );
    }
    out
}

/// One page that needs nothing else.
pub fn html(report: &Report) -> String {
    let Report { model, from, to, days, .. } = report;
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Backtest of {title}</title><style>\
         body{{font:15px system-ui;margin:2rem;max-width:70rem}}.strip{{display:flex;flex-wrap:wrap;gap:2px}}\
         .strip i{{width:12px;height:24px;background:#d9dee3}}.strip .t{{background:#d99a1c}}\
         .strip .p{{background:#c0282d}}td,th{{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0}}\
         </style><h1>Backtest of {title}</h1><p>{from} to {to}, {days} days</p>",
        title = escaped(model)
    );
    for part in &report.configurations {
        let _ = write!(out, "<h2>{}</h2><div class=\"strip\">", escaped(&summary(part)));
        for day in &part.strip {
            let class = match mark(day) {
                'P' => " class=\"p\"",
                't' => " class=\"t\"",
                _ => "",
            };
            let (pages, tickets) = (counted(day.pages, "page"), counted(day.tickets, "ticket"));
            let _ = write!(out, "<i{class} title=\"{}: {pages}, {tickets}\"></i>", day.day);
        }
        out.push_str("</div><table><tr><th>told at<th>what<th>until<th>why</tr>");
        for told in &part.outcome.incidents {
            let ended = told.ended_at.map_or("still stood".to_owned(), |at| at.to_string());
            let severity = severity(told.severity).trim();
            let (title, why) = (escaped(&told.title), escaped(&told.why));
            let _ = write!(out, "<tr><td>{}<td>{severity}: {title}<td>{ended}<td>{why}</tr>", told.told_at);
        }
        out.push_str("</table>");
    }
    out + "</html>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn the_terminal_shows_a_mark_a_day_and_why() {
        let text = text(&report());
        assert!(
            text.contains("this configuration: 1 page and 1 ticket in 720 windows (1.0 and 1.0 a month)")
        );
        assert!(text.contains("  1970-01-01  P···t·······················\n  1970-01-29  ··\n"), "{text}");
        assert!(text.contains("amount moved: PSI 0.4 | limit 0.1"), "{text}");
        assert!(text.contains("Only this configuration: 1 incident\n"), "{text}");
        assert!(text.contains("Only other.toml: 0 incidents\n"), "{text}");
    }

    #[test]
    fn names_cannot_break_a_table_or_a_page() {
        assert!(markdown(&report()).contains("amount moved: PSI 0.4 \\| limit 0.1"));
        let html = html(&report());
        assert!(html.contains("amount moved &lt;b&gt;") && !html.contains("<b>"), "{html}");
        assert_eq!(html.matches("<i").count(), 60);
        assert!(html.contains("title=\"1970-01-01: 1 page, 0 tickets\""));
    }
}
