//! How often healthy models would be told to be off course, and how surely broken ones are (docs/trust.md).
//!
//! ```text
//! cargo run --release -p analyzer --example trust            # 200 streams of each kind, 90 days
//! cargo run --release -p analyzer --example trust -- 51 30 2000   # fewer streams and days, and so many rows an hour
//! ```

mod flights;

use std::time::Instant as Moment;

use analyzer::Config;
use analyzer::simulate::{Fault, Habit, Outcome, Plan, Signal, categories, numbers, run};
use rand::SeedableRng;
use rand::rngs::StdRng;

const FEATURES: usize = 50;
const FAULTS: [Fault; 5] =
    [Fault::Shift(0.1), Fault::Shift(0.2), Fault::Shift(0.5), Fault::Nulls(0.05), Fault::NewCategory(0.02)];

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let streams = arguments.next().transpose()?.unwrap_or(200);
    let days = arguments.next().transpose()?.unwrap_or(90);
    let rows: Vec<usize> = arguments.collect::<Result<_, _>>()?;
    let rows = if rows.is_empty() { vec![200, 2_000, 20_000] } else { rows };
    println!(
        "| stream | rows an hour | model-months | false pages a month and model | false tickets | windows beyond | \
         0.1 sd | 0.2 sd | 0.5 sd | nulls 0 → 5 % | new category 2 % | delay at 0.2 sd |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for habit in [Habit::Independent, Habit::Wander, Habit::WaveAndWander] {
        for rows in rows.iter().copied() {
            let began = Moment::now();
            let outcome =
                models(streams, FEATURES + 1, days, |random| invented(habit, rows as u64, days, random));
            tell(&format!("{habit:?}"), &rows.to_string(), &outcome, began);
        }
    }
    let pool = flights::Pool::read()?;
    for rows in rows.into_iter().filter(|rows| *rows <= 2_000) {
        let began = Moment::now();
        let outcome = models(streams, pool.signals(), days, |_| pool.rows(rows));
        tell("real flights, rows redrawn", &rows.to_string(), &outcome, began);
        let began = Moment::now();
        let outcome = models(streams, pool.signals(), days, |random| pool.days(rows, days, random));
        tell("real flights, days redrawn", &rows.to_string(), &outcome, began);
    }
    Ok(())
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

fn tell(stream: &str, rows: &str, outcome: &Outcome, began: Moment) {
    let a_month = |count: usize| format!("{:.2}", count as f64 / outcome.months);
    let mut cells = vec![
        stream.to_owned(),
        rows.to_owned(),
        format!("{:.0}", outcome.months),
        a_month(outcome.pages),
        a_month(outcome.tickets),
        format!("{:.1e}", outcome.beyond as f64 / outcome.windows.max(1) as f64),
    ];
    let share = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{share:.3}"));
    cells.extend(outcome.found.iter().map(|found| share(found.power())));
    let delay = outcome.found.get(1).and_then(|found| {
        let told = share(found.told());
        found.median_delay().map(|windows| format!("{windows} h (told {told})"))
    });
    cells.push(delay.unwrap_or("–".to_owned()));
    println!("| {} |", cells.join(" | "));
    outcome.sentences.iter().for_each(|sentence| eprintln!("  {sentence}"));
    eprintln!("{stream}, {rows} rows: {:.0?}", began.elapsed());
}
