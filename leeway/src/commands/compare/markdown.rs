//! A comparison as Markdown, for a pull request or a ticket.

use std::fmt::Write as _;

use analyzer::side_by_side::report::Report;

use super::{HEADS, cells, summary};

pub fn page(report: &Report) -> String {
    let mut text = format!("{}\n\n| {} | what |\n", plain(&summary(report)), HEADS.join(" | "));
    text.push_str("|---|---|---:|---:|---:|---:|---|\n");
    for judged in &report.signals {
        let cells = cells(judged).map(|cell| plain(&cell));
        let _ = writeln!(text, "| {} | {} |", cells.join(" | "), plain(&judged.sentence));
    }
    text
}

/// Text that cannot leave its cell, nor be taken for markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => plain.push(' '),
            '|' | '\\' | '`' | '*' | '_' | '<' | '[' | ']' => plain.extend(['\\', character]),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_file_says_cannot_leave_its_cell() {
        assert_eq!(super::plain("a|b\n*c*"), "a\\|b \\*c\\*");
    }
}
