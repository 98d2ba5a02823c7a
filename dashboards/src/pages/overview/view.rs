//! What the overview says: sentences first, numbers second, pictures third.

use askama::Template;
use domain::evaluation::{self, Cause, Severity};
use domain::incident::Incident;
use domain::time::Instant;

use super::{Data, ModelLine};
use crate::charts::{sparkline, strip};
use crate::layout::{Choice, Layout};
use crate::text::{self, Markup, count, duration, milliseconds, name, number, percent};
use crate::visit::{Visit, incident_path, model_path};

/// How many models one page lists.
const MODELS_A_PAGE: usize = 100;
/// How many incidents are shown as cards; the others are counted.
const CARDS: usize = 8;
/// What was found fits into a line.
const FOUND: usize = 100;

#[derive(Template)]
#[template(path = "overview.html")]
pub struct Overview {
    layout: Layout,
    headline: String,
    cards: Vec<Card>,
    more_cards: String,
    incidents_link: String,
    lines: Vec<Line>,
    range_words: String,
    search: String,
    searchable: bool,
    nothing_found: bool,
    pager: Vec<Choice>,
    false_pages: String,
    /// Where to send the first event, for an installation that has none.
    first_event: Option<FirstEvent>,
}

pub struct FirstEvent {
    pub url: String,
}

/// An open incident.
pub struct Card {
    pub class: &'static str,
    pub word: &'static str,
    pub link: String,
    pub model: Markup,
    pub title: String,
    pub detail: String,
    pub lasting: String,
}

/// A model.
pub struct Line {
    pub name: Markup,
    pub link: String,
    pub about: Markup,
    pub state: State,
    pub state_words: &'static str,
    pub sentence: String,
    pub strip: Markup,
    pub spark: Markup,
    pub rate: String,
    pub errors: String,
    pub p95: String,
    pub metric: String,
    pub performance: String,
    pub performance_note: String,
    pub fresh: String,
}

/// How a model stands, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Page,
    Ticket,
    Suspect,
    OnCourse,
    TooLittle,
    NoVerdict,
    NoEvents,
}

impl State {
    pub fn class(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
            Self::Suspect => "suspect",
            Self::OnCourse => "ok",
            Self::TooLittle | Self::NoVerdict | Self::NoEvents => "none",
        }
    }

    fn words(self, cause: Option<Cause>) -> &'static str {
        match (self, cause) {
            (Self::Page, _) => "Off course",
            (Self::Ticket, Some(Cause::Data)) => "Drifting",
            (Self::Ticket, _) => "Needs a look",
            (Self::Suspect, _) => "On course so far",
            (Self::OnCourse, _) => "On course",
            (Self::TooLittle, _) => "Too little data",
            (Self::NoVerdict, _) => "No verdict yet",
            (Self::NoEvents, _) => "No events",
        }
    }
}

/// A model's state with its words and its reason.
struct Standing {
    state: State,
    words: &'static str,
    sentence: String,
}

impl Overview {
    pub fn new(layout: Layout, visit: &Visit, data: &Data, collector_url: &str) -> Self {
        let search = visit.get("q").unwrap_or_default().to_lowercase();
        let mut standing: Vec<(&ModelLine, Standing)> =
            data.models.iter().map(|model| (model, standing(model, data, visit))).collect();
        let headline = headline(&standing);
        standing.retain(|(model, _)| search.is_empty() || model.model.to_lowercase().contains(&search));
        standing.sort_by_key(|(_, standing)| standing.state);
        let found = standing.len();
        let (first, pager) = pager(visit, found);
        let lines =
            standing.into_iter().skip(first).take(MODELS_A_PAGE).map(|(model, it)| line(model, it, visit));
        let mut incidents: Vec<&Incident> = data.incidents.iter().collect();
        incidents.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| b.opened_at.cmp(&a.opened_at)));
        Self {
            headline,
            cards: incidents.iter().take(CARDS).map(|incident| card(incident, visit)).collect(),
            more_cards: match incidents.len().saturating_sub(CARDS) {
                0 => String::new(),
                more => format!("{} more open incidents", count(more as u64)),
            },
            incidents_link: visit.to("/incidents"),
            lines: lines.collect(),
            range_words: visit.range.in_words(),
            search: visit.get("q").unwrap_or_default().to_owned(),
            searchable: data.models.len() > 12,
            nothing_found: found == 0 && !data.models.is_empty(),
            pager,
            false_pages: false_pages(data),
            first_event: data
                .models
                .is_empty()
                .then(|| FirstEvent { url: collector_url.trim_end_matches('/').to_owned() }),
            layout,
        }
    }
}

/// The first row of the page asked for, and links to all pages where there is more than one.
fn pager(visit: &Visit, found: usize) -> (usize, Vec<Choice>) {
    let pages = found.div_ceil(MODELS_A_PAGE).max(1);
    let current = visit.page_number().min(pages);
    let link = |page: usize| Choice {
        label: page.to_string(),
        link: visit.with("page", &page.to_string()),
        current: page == current,
    };
    let links = if pages > 1 { (1..=pages).map(link).collect() } else { Vec::new() };
    ((current - 1) * MODELS_A_PAGE, links)
}

fn standing(model: &ModelLine, data: &Data, visit: &Visit) -> Standing {
    let mine =
        |incident: &&Incident| incident.model == model.model && incident.environment == model.environment;
    let worst =
        data.incidents.iter().filter(mine).max_by_key(|incident| (incident.severity, incident.opened_at));
    let (state, sentence) = match worst {
        Some(incident) => {
            let others = data.incidents.iter().filter(mine).count() - 1;
            let more = if others > 0 { format!(" · and {others} more") } else { String::new() };
            let state = if incident.severity == Severity::Page { State::Page } else { State::Ticket };
            (state, format!("{}{more}", text::cut(&incident.title, 120)))
        }
        None => quiet_standing(model, visit),
    };
    Standing { state, words: state.words(worst.map(|incident| incident.cause)), sentence }
}

/// How a model stands without an open incident.
fn quiet_standing(model: &ModelLine, visit: &Visit) -> (State, String) {
    let judged: u64 =
        model.latest.iter().map(|latest| latest.on_course + latest.suspect + latest.off_course).sum();
    let suspect: u64 = model.latest.iter().map(|latest| latest.suspect + latest.off_course).sum();
    let worst =
        model.latest.iter().max_by_key(|latest| (latest.off_course, latest.suspect, latest.too_little));
    let sentence =
        worst.map(|latest| text::cut(evaluation::headline(&latest.sentence), FOUND)).unwrap_or_default();
    match () {
        () if suspect > 0 => (State::Suspect, sentence),
        () if judged > 0 => (State::OnCourse, String::new()),
        () if worst.is_some() => (State::TooLittle, sentence),
        () if model.events == 0 => {
            (State::NoEvents, format!("the last one was {}", visit.range.written(model.last_event)))
        }
        () => (
            State::NoVerdict,
            format!("{} so far; a verdict needs a baseline", text::counted(model.events_ever, "event")),
        ),
    }
}

fn headline(standing: &[(&ModelLine, Standing)]) -> String {
    let of = |wanted: &[State]| standing.iter().filter(|(_, it)| wanted.contains(&it.state)).count();
    let (off, tickets) = (of(&[State::Page]), of(&[State::Ticket]));
    let (fine, unknown) = (of(&[State::OnCourse, State::Suspect]), of(&[State::TooLittle, State::NoVerdict]));
    let models = |n: usize| match n {
        1 => "1 model is".to_owned(),
        n => format!("{} models are", count(n as u64)),
    };
    match (off, tickets) {
        _ if standing.is_empty() => "Waiting for the first event".to_owned(),
        (0, 0) if unknown == 0 && fine == 0 => "No model has sent events in this range".to_owned(),
        (0, 0) if unknown == 0 && standing.len() == 1 => {
            format!("{} is on course", text::cut(&standing[0].0.model, 60))
        }
        (0, 0) if unknown == 0 => format!("All {} models are on course", count(fine as u64)),
        (0, 0) if fine == 0 => format!("{} not judged yet", models(unknown)),
        (0, 0) => format!("{} on course, {} not judged yet", models(fine), count(unknown as u64)),
        (off, 0) => format!("{} off course", models(off)),
        (0, 1) => "1 model drifts".to_owned(),
        (0, tickets) => format!("{} models drift", count(tickets as u64)),
        (off, tickets) => {
            let drift = if tickets == 1 { "drifts" } else { "drift" };
            format!("{} off course, {} {drift}", models(off), count(tickets as u64))
        }
    }
}

fn card(incident: &Incident, visit: &Visit) -> Card {
    let now = visit.range.now();
    let (class, word) = match incident.severity {
        Severity::Page => ("page", "Page"),
        Severity::Ticket => ("ticket", "Ticket"),
    };
    Card {
        class,
        word,
        link: visit.to(&incident_path(&incident.id)),
        model: name(&incident.model, 40),
        title: text::cut(&incident.title, 160),
        detail: detail(incident, now, visit),
        lasting: duration(now.since(incident.since)),
    }
}

fn detail(incident: &Incident, now: Instant, visit: &Visit) -> String {
    let worst = incident.findings.iter().find(|finding| finding.standing).or(incident.findings.first());
    let mut said =
        worst.map(|finding| text::cut(evaluation::headline(&finding.sentence), FOUND)).unwrap_or_default();
    if !said.is_empty() && !said.ends_with('.') {
        said.push('.');
    }
    let who = match &incident.acknowledged {
        _ if incident.is_silenced_at(now) => {
            let until = incident.silenced_until.map(|until| visit.range.written(until)).unwrap_or_default();
            format!("Silenced until {until}.")
        }
        Some(by) => format!("{} took it {}.", text::cut(&by.actor, 40), visit.range.written(by.at)),
        None => "Nobody has acknowledged.".to_owned(),
    };
    format!("{said} {who}").trim().to_owned()
}

fn line(model: &ModelLine, standing: Standing, visit: &Visit) -> Line {
    let range = visit.range.interval();
    let zone = visit.range.zone();
    let short = text::cut(&model.model, 60);
    let about: Vec<String> = [&model.description, &model.owner]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| text::cut(part, 80))
        .chain(
            (model.environment != domain::contract::DEFAULT_ENVIRONMENT).then(|| model.environment.clone()),
        )
        .collect();
    let (metric, performance, performance_note) = performance(model);
    Line {
        name: name(&model.model, 30),
        link: visit.to(&model_path(&model.model, &model.environment)),
        about: name(&about.join(" · "), 120),
        strip: strip::draw(&model.verdicts, range, &format!("{short}, verdicts"), zone),
        spark: sparkline::draw(&model.traffic, &format!("{short}, events over {}", visit.range.in_words())),
        rate: if model.events > 0 { format!("{}/h", rate(model.events_an_hour)) } else { "none".to_owned() },
        errors: if model.events > 0 {
            percent(model.errors as f64 / model.events as f64)
        } else {
            "–".to_owned()
        },
        p95: model.p95_ms.map_or_else(|| "–".to_owned(), milliseconds),
        metric,
        performance,
        performance_note,
        fresh: duration(visit.range.now().since(model.last_event)),
        state: standing.state,
        state_words: standing.words,
        sentence: standing.sentence,
    }
}

/// Fewer than ten an hour keep a decimal.
fn rate(an_hour: f64) -> String {
    if an_hour >= 10.0 { count(an_hour.round() as i64) } else { number(an_hour) }
}

fn performance(model: &ModelLine) -> (String, String, String) {
    match &model.performance {
        Some(found) => (
            text::statistic(&found.metric),
            number(found.mean),
            format!("± {}", number(1.96 * found.standard_error)),
        ),
        None => (String::new(), "–".to_owned(), "no outcomes".to_owned()),
    }
}

fn false_pages(data: &Data) -> String {
    match data.open.false_pages {
        0 => "No page of the last 90 days was marked as false.".to_owned(),
        1 => "1 page of the last 90 days was marked as false.".to_owned(),
        n => format!("{} pages of the last 90 days were marked as false.", count(n)),
    }
}
