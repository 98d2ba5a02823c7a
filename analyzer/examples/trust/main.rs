//! How often healthy models would be told to be off course, and how surely broken ones are (docs/trust.md).
//!
//! ```text
//! cargo run --release -p analyzer --example trust            # 200 streams of each kind, 90 days
//! cargo run --release -p analyzer --example trust -- 51 30 2000 wander   # fewer streams and days, rows an hour, kinds
//! cargo run --release -p analyzer --example trust -- 51 30 2000 people.parquet   # of people in a file (`census.rs`)
//! ```

mod census;
mod columns;
mod flights;

use std::path::Path;
use std::time::Instant as Moment;

use analyzer::Config;
use analyzer::simulate::{Fault, Habit, Outcome, Plan, Sees, Signal, categories, numbers, run};
use rand::SeedableRng;
use rand::rngs::StdRng;

const FEATURES: usize = 50;
const FAULTS: [Fault; 7] = [
    Fault::Shift(0.1),
    Fault::Shift(0.2),
    Fault::Shift(0.5),
    Fault::Nulls(0.05),
    Fault::NewCategory(0.02),
    Fault::Unit(1.609_344),
    Fault::Stuck,
];

/// What the streams are made of.
#[derive(Clone, Copy)]
enum Kind {
    Invented(Habit),
    FlightRows,
    FlightDays { with_down: bool },
}

const KINDS: [(&str, Kind); 6] = [
    ("independent", Kind::Invented(Habit::Independent)),
    ("wander", Kind::Invented(Habit::Wander)),
    ("wave-and-wander", Kind::Invented(Habit::WaveAndWander)),
    ("flights-by-row", Kind::FlightRows),
    ("flights-by-day", Kind::FlightDays { with_down: false }),
    ("flights-with-outages", Kind::FlightDays { with_down: true }),
];

fn main() -> anyhow::Result<()> {
    let (numbers, words): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    let (files, names): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| word.contains('.'));
    let known = KINDS.map(|(name, _)| name);
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        anyhow::bail!("stream \"{name}\" does not exist (known: {}, or a file of people)", known.join(", "));
    }
    let mut numbers = numbers.iter().map(|number| number.parse::<usize>());
    let streams = numbers.next().transpose()?.unwrap_or(200);
    let days = numbers.next().transpose()?.unwrap_or(90);
    let rows: Vec<usize> = numbers.collect::<Result<_, _>>()?;
    let rows = if rows.is_empty() { vec![200, 2_000, 20_000] } else { rows };
    let is_wanted = |name: &str| match names.is_empty() {
        true => files.is_empty(),
        false => names.iter().any(|wanted| wanted == name),
    };
    let pool = flights::Pool::read()?;
    print_head();
    for (name, kind) in KINDS.into_iter().filter(|(name, _)| is_wanted(name)) {
        for rows in rows.iter().copied() {
            let began = Moment::now();
            let outcome = judged(kind, streams, days, rows, &pool);
            tell(name, rows, &outcome, began);
            if let Kind::Invented(habit) = kind {
                tell_best(habit, rows, &outcome);
            }
        }
    }
    for file in &files {
        let people = census::People::read(Path::new(file))?;
        for rows in rows.iter().copied() {
            let began = Moment::now();
            tell("people", rows, &models(streams, people.signals(), days, |_| people.rows(rows)), began);
        }
    }
    Ok(())
}

fn judged(kind: Kind, streams: usize, days: usize, rows: usize, pool: &flights::Pool) -> Outcome {
    match kind {
        Kind::Invented(habit) => {
            models(streams, FEATURES + 1, days, |random| invented(habit, rows as u64, days, random))
        }
        Kind::FlightRows => models(streams, pool.signals(), days, |_| pool.rows(rows)),
        Kind::FlightDays { with_down } => {
            models(streams, pool.signals(), days, |random| pool.days(rows, days, with_down, random))
        }
    }
}

fn print_head() {
    let faults = FAULTS.map(|fault| fault.to_string()).join(" | ");
    println!(
        "| stream | rows an hour | model-months | false pages a month and model | false tickets | windows beyond | \
         {faults} |"
    );
    println!("|{}", "---|".repeat(6 + FAULTS.len()));
}

/// As many models as hold so many streams together.
fn models(streams: usize, each: usize, days: usize, make: impl Fn(&mut StdRng) -> Vec<Signal>) -> Outcome {
    let mut all = Outcome::default();
    for seed in 0..streams.div_ceil(each) as u64 {
        let mut random = StdRng::seed_from_u64(1_000 + seed);
        let model = make(&mut random);
        let plan = Plan { config: Config::default(), days, faults: FAULTS.to_vec(), probe_days: 2, seed };
        all.add(&run(&plan, &model));
    }
    all
}

/// A score and 50 features, one in five of them a category.
fn invented(habit: Habit, rows: u64, days: usize, random: &mut StdRng) -> Vec<Signal> {
    let hours = 24 * (28 + days);
    let feature = |place: usize, random: &mut StdRng| match place % 5 {
        4 => categories(&format!("feature.category_{place}"), habit, rows, hours, random),
        _ => numbers(&format!("feature.number_{place}"), habit, rows, hours, random),
    };
    let score = numbers("prediction.score", habit, rows, hours, random);
    std::iter::once(score).chain((0..FEATURES).map(|place| feature(place, random))).collect()
}

/// What the best tests would find of the same shifts, if they were wrong as often of healthy windows as ours was.
fn tell_best(habit: Habit, rows: usize, outcome: &Outcome) {
    let level =
        (outcome.drifted as f64 / outcome.compared.max(1) as f64).max(1.0 / outcome.compared.max(1) as f64);
    eprintln!(
        "of {} healthy windows of numbers {} moved beyond their limit: {level:.1e}",
        outcome.compared, outcome.drifted
    );
    let shifts = FAULTS.iter().zip(&outcome.found).filter_map(|(fault, found)| match fault {
        Fault::Shift(by) => Some((*by, found.power()?)),
        _ => None,
    });
    for (by, ours) in shifts {
        let best = Sees::ALL.map(|sees| format!("{:.3}", sees.power(habit, rows as u64, by, level)));
        eprintln!(
            "  a shift of {by} sd is beyond the limit in {ours:.3} of windows; the best test by the same hours finds {}, \
             by the law of the wander {}, by all hours before {}",
            best[0], best[1], best[2]
        );
    }
}

/// A line of the table. Of each fault: the share of windows beyond their limit, of faults that were told while they were
/// followed, and after how many windows half of them were.
fn tell(stream: &str, rows: usize, outcome: &Outcome, began: Moment) {
    let a_month = |count: usize| format!("{:.2}", count as f64 / outcome.months);
    let mut cells = vec![
        stream.to_owned(),
        rows.to_string(),
        format!("{:.0}", outcome.months),
        a_month(outcome.pages),
        a_month(outcome.tickets.values().sum()),
        format!("{:.1e}", outcome.beyond as f64 / outcome.windows.max(1) as f64),
    ];
    cells.extend(outcome.found.iter().map(|found| {
        match (found.power(), found.told(), found.median_delay()) {
            (Some(power), Some(told), Some(delay)) => format!("{power:.3}, {told:.3} in {delay} h"),
            (Some(power), ..) => format!("{power:.3}"),
            _ => "–".to_owned(),
        }
    }));
    println!("| {} |", cells.join(" | "));
    outcome.sentences.iter().for_each(|sentence| eprintln!("  {sentence}"));
    eprintln!("{stream}, {rows} rows: {:.0?}; tickets by monitor: {:?}", began.elapsed(), outcome.tickets);
}
