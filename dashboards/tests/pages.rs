//! What the pages say, without a store: snapshots of the gallery's pages, and what every one of them must be.

#[path = "../examples/gallery/fixtures/mod.rs"]
mod fixtures;

/// A page without its pictures' marks and without the hash of its assets: what a reader reads.
fn outline(html: &str) -> String {
    let mut outline = String::new();
    let mut rest = html;
    while let Some((before, from)) = rest.split_once("<svg") {
        outline.push_str(before);
        let (svg, after) = from.split_once("</svg>").expect("every picture ends");
        let label = svg.split_once("aria-label=\"").and_then(|(_, label)| label.split('"').next());
        outline.push_str(&format!("[picture: {}]", label.unwrap_or("decoration")));
        rest = after;
    }
    outline.push_str(rest);
    let hash = dashboards::assets::url("");
    let mut text = String::new();
    let mut lines = outline.replace(&hash, "/assets/").lines().map(str::to_owned).collect::<Vec<_>>();
    lines.retain(|line| !line.trim().is_empty());
    for line in lines {
        // The tables behind pictures repeat them.
        let mut line = line.as_str();
        while let Some((before, from)) = line.split_once("<details class=\"as-table\">") {
            text.push_str(before);
            text.push_str("[table]");
            line = from.split_once("</details>").map_or("", |(_, after)| after);
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn page(name: &str) -> String {
    let pages = fixtures::pages().expect("every page is written");
    pages.into_iter().find(|(found, _)| *found == name).map(|(_, html)| html).expect("a page of that name")
}

#[test]
fn the_overview_reads_as_it_should() {
    insta::assert_snapshot!("overview", outline(&page("overview")));
}

#[test]
fn an_overview_without_incidents_is_calm() {
    insta::assert_snapshot!("overview_calm", outline(&page("overview-calm")));
}

#[test]
fn an_installation_without_events_says_how_to_begin() {
    insta::assert_snapshot!("overview_empty", outline(&page("overview-empty")));
}

#[test]
fn a_model_reads_as_it_should() {
    insta::assert_snapshot!("model", outline(&page("model")));
}

#[test]
fn a_model_without_a_verdict_says_what_is_missing() {
    insta::assert_snapshot!("model_new", outline(&page("model-new")));
}

#[test]
fn a_signal_reads_as_it_should() {
    insta::assert_snapshot!("signal", outline(&page("signal")));
}

#[test]
fn a_signal_of_categories_reads_as_it_should() {
    insta::assert_snapshot!("signal_category", outline(&page("signal-category")));
}

#[test]
fn a_signal_that_was_not_judged_says_so() {
    insta::assert_snapshot!("signal_unjudged", outline(&page("signal-unjudged")));
}

/// Elements that are never closed.
const VOID: [&str; 6] = ["meta", "link", "input", "br", "img", "!doctype"];

/// The names of elements in their order, closing ones with a slash.
fn elements(html: &str) -> Vec<String> {
    html.split('<')
        .skip(1)
        .filter(|part| part.starts_with(|first: char| first.is_ascii_alphabetic() || "/!".contains(first)))
        .filter(|part| part.split('>').next().is_some_and(|tag| !tag.ends_with('/')))
        .map(|part| part.split([' ', '>', '\n']).next().unwrap_or_default().to_lowercase())
        .filter(|name| !VOID.contains(&name.as_str()))
        .collect()
}

#[test]
fn every_element_is_closed_in_its_order() {
    for (name, html) in fixtures::pages().expect("every page is written") {
        let mut open: Vec<String> = Vec::new();
        for element in elements(&html) {
            match element.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed), "{name}: {open:?}"),
                None => open.push(element),
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
    }
}

#[test]
fn every_page_is_small_whole_and_its_own() {
    for (name, html) in fixtures::pages().expect("every page is written") {
        assert!(html.len() < 150_000, "{name} has {} bytes", html.len());
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert!(!html.contains("NaN") && !html.contains("inf\""), "{name}");
        for alien in ["style=\"", "<style", "onclick", "onerror=alert(1)>\"", "src=\"http", "<script>"] {
            assert!(!html.contains(alien), "{name} holds {alien}");
        }
        let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let different: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(ids.len(), different.len(), "{name}: {ids:?}");
        for label in html.split("<label for=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(ids.contains(&label), "{name}: a label for {label}");
        }
    }
}

#[test]
fn hostile_names_are_text_and_their_whole_is_in_a_title() {
    let html = page("overview-hostile");
    assert!(!html.contains("<script>alert") && !html.contains("<img src=x") && !html.contains("<b>long"));
    assert!(html.contains("&lt;script&gt;alert(1)"), "{html}");
    assert!(html.contains(&format!("title=\"{}", "x".repeat(100))));
    assert!(html.contains("<bdi>"));
}
