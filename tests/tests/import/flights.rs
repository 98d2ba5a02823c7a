//! The whole year of flights.

use analyzer::drift::ks::Ks;
use analyzer::drift::psi::Psi;
use analyzer::stats::histogram::Pair;
use collector::import::Plan;
use domain::counts::Counts;
use domain::time::Interval;
use sql::Store;
use sql::counts::{Question, Resolution};

use super::system::{FLIGHTS, MODEL, fingerprint, flights, flights_mapping, import, sums};

/// What was computed from the raw values of the same file with numpy and scipy: the PSI on the deciles of January to
/// March (½ added to each count) and the two-sample KS distance of April against them. Source: the published
/// `nyc_flights_natural_drift.json` beside the data, key `months`, month 4.
const APRIL: [(&str, f64, f64); 5] = [
    ("feature.temp", 3.431_624_800_252_530_2, 0.629_911_558_927_269_9),
    ("feature.dewp", 0.799_983_823_788_967_2, 0.367_384_542_469_134_77),
    ("feature.wind_speed", 0.015_786_171_181_513_917, 0.034_730_128_394_740_21),
    ("feature.plane_age", 0.002_854_982_839_617_350_7, 0.014_196_121_695_318_087),
    ("prediction.score", 0.208_471_164_635_911_06, 0.192_054_225_295_405_97),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_of_flights_is_stored_and_counted_once() {
    let store = tests::fresh_store().await;
    let plan = || Plan::new(flights(), MODEL, flights_mapping());
    let report = import(plan(), &store).await.expect("imported");
    println!("{report}");
    assert_eq!((report.rows, report.stored, report.refused.total()), (FLIGHTS, FLIGHTS, 0));
    let stored = tests::text(&store, "SELECT count(), uniqExact(id) FROM predictions").await;
    assert_eq!(stored, format!("{FLIGHTS}\t{FLIGHTS}"));
    // 17 features, the score; each of them adds up to all events, missing values included.
    for table in ["signal_minutes", "signal_hours"] {
        let sums = sums(&store, table).await;
        assert_eq!(sums.len(), 18, "{sums:?}");
        assert!(sums.values().all(|n| *n == FLIGHTS), "{table}: {sums:?}");
    }
    let by_airport = tests::text(
        &store,
        "SELECT sum(n) FROM signal_minutes WHERE signal = 'feature.temp' AND segment LIKE 'origin=%'",
    );
    assert_eq!(by_airport.await, FLIGHTS.to_string());
    let outcomes = tests::text(&store, "SELECT count() FROM outcomes FINAL").await;
    assert_eq!(outcomes, report.outcomes.to_string());
    assert_eq!(report.outcomes, FLIGHTS - 9_430, "flights that never arrived have no outcome");

    let before = fingerprint(&store).await;
    let again = import(plan(), &store).await.expect("nothing to do");
    assert!(again.already.is_some() && again.stored == 0, "{again}");
    assert_eq!(fingerprint(&store).await, before);
    drift_of_april_agrees(&store).await;
}

/// The convention's difference: deciles are rounded to stored edges. Where a grid has a bin for each of few values they
/// are the same deciles; else an edge is off by at most a 128th of the values, which moves PSI by some per cent of itself.
async fn drift_of_april_agrees(store: &Store) {
    let winter = window(store, "2013-01-01..2013-04-01").await;
    let april = window(store, "2013-04-01..2013-05-01").await;
    let grids = sql::grids::in_force(store.grids(Some(MODEL)).await.expect("grids"));
    for (signal, psi, ks) in APRIL {
        let grid = &grids.iter().find(|stored| stored.grid.signal == signal).expect("a grid").grid;
        let counts = |side: &[(String, Counts)]| {
            side.iter().find(|(name, _)| name == signal).expect("counted").1.clone()
        };
        let pair = Pair::on(grid, &counts(&winter), &counts(&april), &Default::default()).expect("values");
        let (found, bounds) = (Psi::of(&pair).value, Ks::of(&pair).expect("numbers"));
        println!(
            "{signal}: PSI {found:.5} against {psi:.5}; KS {ks:.5} within {:.5}..{:.5}",
            bounds.low, bounds.high
        );
        assert!((found - psi).abs() < 0.002 + 0.05 * psi, "{signal}: PSI {found} against {psi}");
        assert!(
            bounds.low <= ks + 1e-12 && ks <= bounds.high + 1e-12,
            "{signal}: KS {ks} against {bounds:?}"
        );
    }
}

async fn window(store: &Store, text: &str) -> Vec<(String, Counts)> {
    let interval: Interval = text.parse().expect("a window");
    let question = Question {
        model: MODEL.to_owned(),
        environment: "production".to_owned(),
        interval,
        resolution: Resolution::Hours,
        segments: vec![String::new()],
        signals: Vec::new(),
        step_s: 0,
    };
    let series = store.counts(&question).await.expect("counts");
    let counts =
        |points: &[sql::counts::CountPoint]| Counts::of(points.iter().map(|point| (point.bin, point.n)));
    series.into_iter().map(|series| (series.signal, counts(&series.points))).collect()
}
