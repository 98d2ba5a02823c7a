//! A comparison as one HTML page that needs nothing beside it.

use std::fmt::Write as _;

use analyzer::side_by_side::report::Report;

use super::{HEADS, cells, summary};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1b1f24;background:#fff}\
table{border-collapse:collapse;width:100%}\
th,td{padding:.4rem .6rem;border-bottom:1px solid #d7dbe0;text-align:left;vertical-align:top}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
tr.off_course td:nth-child(2){color:#b3261e;font-weight:600}\
tr.too_little_data td:nth-child(2),tr.not_comparable td:nth-child(2){color:#7a5900}\
@media(prefers-color-scheme:dark){body{color:#e6e8eb;background:#14171a}th,td{border-color:#353b42}\
tr.off_course td:nth-child(2){color:#ff8a80}tr.too_little_data td:nth-child(2),tr.not_comparable td:nth-child(2){color:#ffcf66}}";

pub fn page(report: &Report) -> String {
    let summary = escaped(&summary(report));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Comparison</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<style>{STYLE}</style>\n<h1>Comparison</h1>\n<p>{summary}</p>\n\
         <table>\n<thead><tr>"
    );
    for (place, head) in HEADS.iter().enumerate() {
        let _ = write!(text, "<th{}>{head}</th>", class(place));
    }
    text.push_str("<th>what</th></tr></thead>\n<tbody>\n");
    for judged in &report.signals {
        let _ = write!(text, "<tr class=\"{}\">", judged.verdict.name());
        for (place, cell) in cells(judged).iter().enumerate() {
            let _ = write!(text, "<td{}>{}</td>", class(place), escaped(cell));
        }
        let _ = writeln!(text, "<td>{}</td></tr>", escaped(&judged.sentence));
    }
    text.push_str("</tbody>\n</table>\n</html>\n");
    text
}

/// Numbers stand to the right.
fn class(place: usize) -> &'static str {
    if place < 2 { "" } else { " class=\"n\"" }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_file_says_is_text() {
        assert_eq!(super::escaped("<b>&\"x\""), "&lt;b&gt;&amp;&quot;x&quot;");
    }
}
