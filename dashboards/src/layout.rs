//! The shell around every page: where one is, the range of time, what is open.

use sql::pages::OpenIncidents;

use crate::assets;
use crate::text::count;
use crate::time_range::Offer;
use crate::visit::{Session, Visit, link};

/// The entry of the main navigation that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Models,
    Incidents,
    Deliveries,
    Changes,
    None,
}

const ENTRIES: [(Section, &str, &str); 4] = [
    (Section::Models, "Models", "/"),
    (Section::Incidents, "Incidents", "/incidents"),
    (Section::Deliveries, "Deliveries", "/deliveries"),
    (Section::Changes, "Changes", "/changes"),
];

#[derive(Clone, Debug)]
pub struct Entry {
    pub label: &'static str,
    pub link: String,
    pub current: bool,
    /// How many incidents are open, as a number with its severity; empty for none.
    pub badge: String,
    pub badge_class: &'static str,
    pub badge_words: String,
}

/// What `layout.html` shows.
#[derive(Clone, Debug)]
pub struct Layout {
    pub title: String,
    pub entries: Vec<Entry>,
    pub offers: Vec<Choice>,
    pub clock: String,
    pub range_words: String,
    /// Whether the page follows the time by itself.
    pub live: bool,
    pub pinned: String,
    /// The same page ending now, for a range that is fixed.
    pub unpinned: String,
    pub zones: Vec<Choice>,
    pub session: Session,
    pub css: String,
    pub js: String,
    pub icon: String,
    pub json: String,
    pub sql: String,
    pub home: String,
}

/// One of several links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub label: String,
    pub link: String,
    pub current: bool,
}

impl Layout {
    pub fn new(visit: &Visit, section: Section, title: &str, open: OpenIncidents) -> Self {
        let kept = visit.kept_except(&["page", "format"]);
        let offer = |Offer { label, query, current }: Offer| Choice {
            label: label.to_owned(),
            link: link(visit.path(), &[query, kept.clone()]),
            current,
        };
        Self {
            title: title.to_owned(),
            entries: entries(visit, section, open),
            offers: visit.range.offers().into_iter().map(offer).collect(),
            clock: visit.range.clock(),
            range_words: visit.range.in_words(),
            live: visit.range.is_live(),
            pinned: link(visit.path(), &[visit.range.pinned_query(), kept.clone()]),
            unpinned: link(visit.path(), std::slice::from_ref(&kept)),
            zones: visit
                .range
                .zones()
                .into_iter()
                .map(|(label, query, current)| Choice {
                    label,
                    link: link(visit.path(), &[query, kept.clone()]),
                    current,
                })
                .collect(),
            session: visit.session.clone(),
            css: assets::url("leeway.css"),
            js: assets::url("leeway.js"),
            icon: assets::url("icon.svg"),
            json: visit.as_form("json"),
            sql: visit.as_form("sql"),
            home: visit.to("/"),
        }
    }
}

fn entries(visit: &Visit, section: Section, open: OpenIncidents) -> Vec<Entry> {
    ENTRIES
        .iter()
        .map(|(entry, label, path)| {
            let n = if *entry == Section::Incidents { open.pages + open.tickets } else { 0 };
            Entry {
                label,
                link: visit.to(path),
                current: *entry == section,
                badge: if n > 0 { count(n) } else { String::new() },
                badge_class: if open.pages > 0 { "page" } else { "ticket" },
                badge_words: format!("{} open, {} of them pages", count(n), count(open.pages)),
            }
        })
        .collect()
}
